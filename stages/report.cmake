add_stage(cleave-report FILES report.c run_atlas.c USES stage_common show)
