# Fails when the program is bound at its start to a library that pipelines/deferred.cmake says is loaded later: then
# a function was called that its list lacks. Run: cmake -DPROGRAM=<lode> -DTABLE=<deferred.S> -DOBJDUMP=<objdump>
# -P check_deferred.cmake
execute_process(COMMAND ${OBJDUMP} -p ${PROGRAM} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${TABLE} lines REGEX "^ +library \"")
if(NOT lines)
  message(FATAL_ERROR "${TABLE}: defers no library")
endif()
foreach(line ${lines})
  string(REGEX MATCH "\"(.+)\"" _ "${line}")
  string(FIND "${headers}" "NEEDED               ${CMAKE_MATCH_1}\n" at)
  if(NOT at EQUAL -1)
    message(SEND_ERROR "${PROGRAM} is bound to ${CMAKE_MATCH_1} at its start: add what else it calls there "
                       "(nm -D --undefined-only) to the list in pipelines/deferred.cmake")
  endif()
endforeach()
