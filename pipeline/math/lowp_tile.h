#ifndef LOWP_TILE_H
#define LOWP_TILE_H

#include <stdint.h>

#include "status.h"

/* Products of left rows with tiles of LOWP_TILE right rows that lie as oneDNN's matmul reads them
 * fastest. lowp_gemm's routine brings both operands into its own order in every call; these bring a
 * tile into it once. */
typedef struct LowpTiles LowpTiles;

/* For rows of `stride` bytes, a multiple of 64. NULL: oneDNN has no such order on this CPU, or no
 * memory, or there are many strides. Made once and kept to the end of the process; thread-safe. */
const LowpTiles *lowp_tiles_of(int64_t stride);

/* A tile of rows that lie one after the other, into as many bytes of that order.
 *   fails   ERR_MEMORY */
Status lowp_tiles_pack(const LowpTiles *tiles, const uint8_t *rows, uint8_t *out) MUST_USE;

/* out [m, LOWP_TILE] = left [m, stride] times the tile's rows, exact.
 *   fails   ERR_MEMORY */
Status lowp_tiles_multiply(const LowpTiles *tiles, const uint8_t *left, int64_t m,
                           const uint8_t *tile, int32_t *out) MUST_USE;

/* oneDNN's threads are OpenMP's; ours call it from several threads, each to compute alone. */
void lowp_compute_alone(void);

#endif
