# The reader of dictionaries, and the writer of codes: inspect and the import of codes use them too.
add_library(stage_sae STATIC sae_file.c)
target_link_libraries(stage_sae PUBLIC stage_common store model)
add_library(stage_codes STATIC encode_rows.c encode_file.c encode_pca.c gate.c)
target_link_libraries(stage_codes PUBLIC stage_sae stage_common store model families show)
add_stage(cleave-encode FILES encode.c USES stage_codes)
