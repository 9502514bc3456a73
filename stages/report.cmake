add_stage(cleave-report FILES report.c USES stage_common show)
