# Trainings of dictionaries; the plan makes one in its mind.
add_library(stage_training STATIC training.c train_group.c train_rows.c train_checkpoint.c train_log.c train_output.c train_times.c)
target_link_libraries(stage_training PUBLIC stage_common store model)
add_stage(cleave-train FILES train.c USES stage_training)
