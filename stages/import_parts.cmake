# Rows and codes that were made elsewhere.
add_library(stage_import STATIC import_rows.c import_places.c import_codes.c codes_source.c)
target_link_libraries(stage_import PUBLIC stage_activations stage_codes stage_common store model read)
