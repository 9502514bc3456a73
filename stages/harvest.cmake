add_stage(cleave-harvest FILES harvest.c activations.c activations_file.c USES stage_common store model)
