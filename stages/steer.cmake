add_stage(cleave-steer FILES steer.c steer_ask.c steer_run.c steer_ablate.c run_atlas.c
  USES stage_workbench stage_common show model PkgConfig::JANSSON)
