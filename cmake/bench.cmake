# Benchmarks: benches/core/NAME.c measures the core (linked statically, LTO), benches/web/load.c loads a server.
# SPDX-License-Identifier: MIT
file(GLOB bench_core_sources CONFIGURE_DEPENDS benches/core/*.c)
foreach(source ${bench_core_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(bench-core-${name} ${source})
  set_target_properties(bench-core-${name} PROPERTIES OUTPUT_NAME core-${name}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  target_compile_options(bench-core-${name} PRIVATE -D_GNU_SOURCE ${MW_WARNINGS})
  target_include_directories(bench-core-${name} PRIVATE src) # the switch alone is no public call
  target_link_libraries(bench-core-${name} PRIVATE meshwork-core-static)
endforeach()
if(NOT MW_CORE_ONLY)
  add_executable(bench-web-load benches/web/load.c)
  set_target_properties(bench-web-load PROPERTIES OUTPUT_NAME web-load RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  target_compile_options(bench-web-load PRIVATE -D_GNU_SOURCE ${MW_WARNINGS})
endif()
