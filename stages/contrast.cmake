add_stage(cleave-contrast FILES contrast.c labelled.c labelled_fire.c run_atlas.c
  USES stage_workbench stage_common show model families read)
