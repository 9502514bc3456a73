add_stage(cleave FILES driver.c driver_submit.c USES drive stage_settings)
