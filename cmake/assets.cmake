# The JS client inside the library: client/*.js become a table of bytes (src/server/assets.h), so that a server needs
# no path to find them by. Run with -P it writes that table; included it says when that is done.
# SPDX-License-Identifier: MIT
if(CMAKE_SCRIPT_MODE_FILE)
  set(arrays "")
  set(rows "")
  set(count 0)
  foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} bytes HEX)
    file(SHA256 ${file} digest)
    string(SUBSTRING ${digest} 0 16 tag)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
           bytes "${bytes}")
    string(APPEND arrays "static const unsigned char bytes_${count}[] = {\n${bytes}};\n")
    string(APPEND rows "    {\"${name}\", \"\\\"${tag}\\\"\", bytes_${count}, sizeof bytes_${count}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  file(WRITE ${OUT} "/* Made by cmake/assets.cmake from client/. SPDX-License-Identifier: MIT */\n"
       "#include \"server/assets.h\"\n\n${arrays}\nconst struct asset assets[] = {\n${rows}    {0, 0, 0, 0},\n};\n")
  return()
endif()

file(GLOB client_scripts CONFIGURE_DEPENDS client/*.js)
# The classic script for pages without modules is made of the module, so that there is one source.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated) # make, unlike ninja, makes none
set(classic_script ${CMAKE_BINARY_DIR}/generated/meshwork.classic.js)
add_custom_command(OUTPUT ${classic_script}
  COMMAND ${CMAKE_SOURCE_DIR}/tools/make-classic ${CMAKE_SOURCE_DIR}/client/meshwork.js ${classic_script}
  DEPENDS ${CMAKE_SOURCE_DIR}/client/meshwork.js ${CMAKE_SOURCE_DIR}/tools/make-classic
  COMMENT "Making the classic script of the JS client" VERBATIM)
list(APPEND client_scripts ${classic_script})
set(assets_source ${CMAKE_BINARY_DIR}/generated/assets.c)
add_custom_command(OUTPUT ${assets_source}
  COMMAND ${CMAKE_COMMAND} "-DFILES=${client_scripts}" -DOUT=${assets_source} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${client_scripts} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the JS client" VERBATIM)
target_sources(room_server PRIVATE ${assets_source})
# Where `serve` finds the headers of a library that is not installed.
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include SYMBOLIC)
