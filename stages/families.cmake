add_stage(cleave-families
  FILES families.c families_read.c families_checks.c families_duplicates.c families_codes.c families_picked.c
    families_tiles.c families_tile.c families_pair.c families_absorb.c families_twins.c
    families_chain.c families_levels.c families_cover.c families_tokens.c families_trees.c
    families_sweep.c families_members.c families_tables.c families_write.c families_attributes.c
    families_figures.c families_words.c families_top.c table.c
  USES stage_common store families show)
