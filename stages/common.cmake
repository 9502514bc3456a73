# What all stage programs share: the tables of run.yaml's keys, command line, MPI, log, end message.
add_library(stage_settings STATIC settings.c)
target_include_directories(stage_settings PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(stage_settings PUBLIC base)
add_library(stage_common STATIC stage.c stage_state.c lock.c)
target_include_directories(stage_common PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(stage_common PUBLIC stage_settings store math)
