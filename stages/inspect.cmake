add_stage(cleave-inspect FILES inspect.c inspect_text.c USES stage_common show model)
