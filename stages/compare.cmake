add_stage(cleave-compare
  FILES compare.c compare_columns.c compare_describe.c compare_end.c compare_inputs.c compare_of.c
    compare_load.c compare_pair.c compare_panel.c compare_self.c compare_work.c compare_write.c
  USES stage_common store families)
