add_stage(cleave-encode FILES encode.c encode_rows.c encode_file.c
  USES stage_common store model families show)
