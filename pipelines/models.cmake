# The registry of models, engine/models.json, goes into the program. Included by CMakeLists.txt after lode_module(pipelines).
set(lode_models_json ${CMAKE_BINARY_DIR}/generated/models_json.c)
add_custom_command(OUTPUT ${lode_models_json}
  COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_SOURCE_DIR}/engine/models.json -DOUT=${lode_models_json}
          -DNAME=models_builtin_json -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  DEPENDS ${CMAKE_SOURCE_DIR}/engine/models.json ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  VERBATIM)
target_sources(lode_pipelines PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/models.c ${CMAKE_CURRENT_LIST_DIR}/models_pull.c ${lode_models_json})
