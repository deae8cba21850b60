# Tests that need what a build does not: each is built where its package is installed.
# SPDX-License-Identifier: MIT

# JSON, second opinion: Jansson (libjansson-dev).
if(TARGET room_codec)
  pkg_check_modules(JANSSON IMPORTED_TARGET jansson>=2.11)
  if(JANSSON_FOUND)
    set(target test-codec-json-jansson)
    add_executable(${target} tests/codec/jansson/second_opinion.c)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
    mw_link_room(${target} codec)
    target_link_libraries(${target} PRIVATE PkgConfig::JANSSON)
    target_compile_options(${target} PRIVATE ${MW_WARNINGS} -Wno-missing-prototypes)
    target_compile_definitions(${target} PRIVATE MW_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME codec/json_jansson COMMAND ${target})
    set_tests_properties(codec/json_jansson PROPERTIES TIMEOUT 120)
  endif()
endif()

# The table of powers of ten is what its script writes.
find_program(PYTHON3 python3)
if(PYTHON3)
  add_test(NAME base/powers COMMAND sh -c "'${PYTHON3}' tools/make-powers | cmp - src/base/powers.c"
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endif()
