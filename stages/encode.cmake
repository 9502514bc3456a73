# The writer of codes, and what it reads: the import of codes uses them too.
add_library(stage_codes STATIC encode_rows.c encode_file.c gate.c sae_file.c)
target_link_libraries(stage_codes PUBLIC stage_common store model families show)
add_stage(cleave-encode FILES encode.c USES stage_codes)
