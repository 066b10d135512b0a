# One source by nvcc: what it says goes to OBJECT.log (of ptxas: registers and spills of every kernel), and to the
# terminal only when it fails. Run: cmake -DNVCC=.. -DFLAGS=.. -DSOURCE=.. -DOBJECT=.. [-DHOST=..] [-DLAUNCHER=..] -P compile.cmake
set(host)
if(HOST)
  set(host -ccbin ${HOST})
endif()
get_filename_component(dir ${OBJECT} DIRECTORY)
file(MAKE_DIRECTORY ${dir})
execute_process(COMMAND ${LAUNCHER} ${NVCC} ${host} ${FLAGS} -MD -MF ${OBJECT}.d -MT ${OBJECT} -c ${SOURCE} -o ${OBJECT}
  RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
file(WRITE ${OBJECT}.log "${said}")
if(NOT code EQUAL 0)
  file(REMOVE ${OBJECT})
  string(REGEX REPLACE "(ptxas info|    [0-9]+ bytes stack frame)[^\n]*\n" "" said "${said}") # of every kernel there is
  message("${said}")
  message(FATAL_ERROR "nvcc failed (${code}) for ${SOURCE}")
endif()
