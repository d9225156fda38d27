# Installs the tree, checks where things went, and moves it: what is used afterwards must not remember the first place.
#     cmake -DBUILD=... -DTREE=... -P install.cmake      leaves the moved tree in TREE
file(REMOVE_RECURSE ${TREE} ${TREE}-first)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${TREE}-first
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
if(EXISTS ${TREE}-first/lib OR NOT EXISTS ${TREE}-first/include/hrm/hrm.hpp)
  message(FATAL_ERROR "headers belong in include/hrm, and nothing in lib/")
endif()
file(RENAME ${TREE}-first ${TREE})
