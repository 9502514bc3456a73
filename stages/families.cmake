add_stage(cleave-families
  FILES families.c families_read.c families_pair.c families_codes.c families_levels.c families_tokens.c
    families_trees.c families_members.c families_tables.c families_write.c families_words.c table.c
  USES stage_common store families show)
