add_library(stage_activations STATIC activations.c activations_file.c)
target_link_libraries(stage_activations PUBLIC stage_common store model)
add_stage(cleave-harvest FILES harvest.c USES stage_activations)
