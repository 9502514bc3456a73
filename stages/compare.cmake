add_stage(cleave-compare FILES compare.c USES stage_common store families)
