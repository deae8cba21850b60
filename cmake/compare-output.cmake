# Run PROGRAM; its standard output must be the bytes of EXPECTED, its exit status 0. usage: cmake -DPROGRAM= -DEXPECTED= -P
# SPDX-License-Identifier: MIT
list(REMOVE_ITEM PROGRAM "")
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE got ERROR_VARIABLE complaints RESULT_VARIABLE status)
file(READ ${EXPECTED} wanted)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}\n${complaints}")
endif()
if(NOT got STREQUAL wanted)
  message(FATAL_ERROR "${PROGRAM} printed\n${got}instead of\n${wanted}")
endif()
