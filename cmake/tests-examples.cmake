# Every numbered example prints what examples/NAME.expected says.
# SPDX-License-Identifier: MIT
file(GLOB expected_outputs CONFIGURE_DEPENDS examples/[0-9][0-9]-*.expected)
foreach(expected ${expected_outputs})
  get_filename_component(name ${expected} NAME_WE)
  if(NOT TARGET example-${name})
    continue()
  endif()
  add_test(NAME example/${name}
           COMMAND ${CMAKE_COMMAND} "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:example-${name}>"
                   -DEXPECTED=${expected} -P ${CMAKE_SOURCE_DIR}/cmake/compare-output.cmake)
  set_tests_properties(example/${name} PROPERTIES TIMEOUT 60)
endforeach()
