add_stage(cleave-compare FILES compare.c compare_inputs.c compare_pair.c
  USES stage_common store families)
