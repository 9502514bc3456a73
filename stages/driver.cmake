add_stage(cleave FILES driver.c USES drive stage_settings)
