# A program that must not compile, and must say why: its first line is   // expect: REGEX
#     cmake -DSOURCE=x.cpp -DCOMPILE="c++;-I...;..." -P run.cmake
file(STRINGS ${SOURCE} first LIMIT_COUNT 1)
if(NOT first MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE}: the first line is not \"// expect: REGEX\"")
endif()
set(expected "${CMAKE_MATCH_1}")
execute_process(COMMAND ${COMPILE} -fsyntax-only ${SOURCE} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles")
endif()
# One line each: compilers break and quote messages in their own ways.
string(REGEX REPLACE "[\n\t ]+" " " said "${said}")
string(REGEX REPLACE "‘|’|'" "" said "${said}")
if(NOT said MATCHES "${expected}")
  message(FATAL_ERROR "${SOURCE}: expected a message that matches\n  ${expected}\nbut the compiler said\n  ${said}")
endif()
