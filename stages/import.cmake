add_stage(cleave-import FILES import.c import_dictionary.c import_fold.c USES stage_import stage_common store read)
