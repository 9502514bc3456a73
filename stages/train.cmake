add_stage(cleave-train FILES train.c training.c train_group.c train_plan.c train_rows.c train_checkpoint.c train_log.c train_output.c train_times.c
  USES stage_common store model)
