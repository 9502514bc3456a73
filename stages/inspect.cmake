add_stage(cleave-inspect FILES inspect.c run_atlas.c inspect_text.c USES stage_workbench stage_common show model)
