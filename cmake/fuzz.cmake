# One libFuzzer program per fuzzers/<target>_fuzz.c, linked to the room named in its first line ("room: codec"),
# or to the world of tests/world.
# SPDX-License-Identifier: MIT
file(GLOB sources CONFIGURE_DEPENDS fuzzers/*_fuzz.c)
foreach(source ${sources})
  get_filename_component(target ${source} NAME_WE)
  file(STRINGS ${source} head REGEX "room: [a-z]+" LIMIT_COUNT 1)
  string(REGEX REPLACE ".*room: ([a-z]+).*" "\\1" room "${head}")
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(room STREQUAL "world")
    mw_link_world(${target})
  else()
    mw_link_room(${target} ${room})
  endif()
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
endforeach()
