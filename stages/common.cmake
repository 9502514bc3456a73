# What all stage programs share: the tables of run.yaml's keys, command line, MPI, log, end message.
add_library(stage_common STATIC settings.c stage.c)
target_include_directories(stage_common PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(stage_common PUBLIC store math)
