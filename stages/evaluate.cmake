# The model and dictionaries of a run for texts of the user's own: inspect, contrast and steer use them too.
add_library(stage_workbench STATIC workbench.c)
target_link_libraries(stage_workbench PUBLIC stage_sae stage_common store model)
add_stage(cleave-evaluate FILES evaluate.c evaluate_text.c evaluate_file.c surgery.c USES stage_workbench stage_common store model)
