add_stage(cleave-inspect FILES inspect.c run_atlas.c inspect_text.c inspect_batch.c labelled.c labelled_fire.c
  USES stage_workbench stage_common show model families read)
