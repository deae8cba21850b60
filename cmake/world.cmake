# A whole server over a kernel and a poller of our own (tests/world): mw_link_world(TARGET) for a test or a fuzz target.
# SPDX-License-Identifier: MIT
set(world_calls socket bind listen accept4 recv send sendmsg sendfile shutdown close setsockopt getsockname getpeername clock_gettime time
    getrandom RAND_bytes crypto_pwhash_str_verify)
list(TRANSFORM world_calls PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE world_wraps) # its calls end in tests/world/kernel.c
add_library(world OBJECT tests/world/kernel.c tests/world/poller.c tests/world/people.c tests/world/person_hears.c tests/world/world.c)
target_include_directories(world PRIVATE src tests include)
target_compile_options(world PRIVATE -D_GNU_SOURCE ${MW_WARNINGS} -Wno-missing-prototypes)

function(mw_link_world target)
  mw_link_room(${target} server)
  # In place of the poller that sleeps.
  get_target_property(sources ${target} SOURCES)
  list(REMOVE_ITEM sources $<TARGET_OBJECTS:room_runtime>)
  list(APPEND sources $<FILTER:$<TARGET_OBJECTS:room_runtime>,EXCLUDE,/poller\\.c> $<TARGET_OBJECTS:world>)
  set_target_properties(${target} PROPERTIES SOURCES "${sources}")
  target_include_directories(${target} PRIVATE tests/world)
  target_link_options(${target} PRIVATE ${world_wraps})
endfunction()

if(MW_TESTS)
  add_executable(test-world tests/world/world_test.c)
  set_target_properties(test-world PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  target_compile_options(test-world PRIVATE ${MW_WARNINGS})
  mw_link_world(test-world)
  add_test(NAME world COMMAND test-world WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(world PROPERTIES TIMEOUT 300)
endif()
