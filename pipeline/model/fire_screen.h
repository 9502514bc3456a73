#ifndef FIRE_SCREEN_H
#define FIRE_SCREEN_H

#include <stdint.h>

#include "fire.h"
#include "sae.h"
#include "screen.h"
#include "status.h"

/* Between fire.c and fire_screen.c. ranks: all local */

/* fails   ERR_MEMORY; fire_rows_clear() is safe after it */
Status fire_rows_create(FireRows *rows, int64_t rows_most) MUST_USE;
void fire_rows_clear(FireRows *rows);

/* Measure the batch, bring it into 8 bits where the dictionary is, and say to `job` what meets
 * what. fails   ERR_MEMORY */
Status fire_rows_set(FireRows *rows, const Sae *sae, const float *centred, int64_t count,
                     ScreenJob *job) MUST_USE;

#endif
