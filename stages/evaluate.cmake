add_stage(cleave-evaluate FILES evaluate.c evaluate_text.c evaluate_file.c surgery.c USES stage_sae stage_common store model)
