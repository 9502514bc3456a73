#ifndef ENCODE_PCA_H
#define ENCODE_PCA_H

#include <stdbool.h>
#include <stdint.h>

#include "encode.h"
#include "status.h"
#include "team.h"

/** A yardstick for explained variance: what as many directions explain as a dictionary has active
 *  features a row. The directions are the principal components of the held-out rows themselves, so no
 *  other ones explain more of them. Shown, decides nothing: ScaLAPACK's last digits depend on the number
 *  of ranks. Memory: some matrices of width x width a rank. */
typedef struct EncodePca {
  int64_t width;
  double
      *cells; /* [width, width] sum of (x - mean) (x - mean)^T over this rank's share of the rows */
  float *rows;     /* [batch, width] of one batch */
  float *products; /* [width, width] */
  double *values;  /* [width] eigenvalues, descending, after encode_pca_finish */
  double total;    /* their sum */
  bool is_done;
} EncodePca;

/** ranks   local
 *  fails   ERR_MEMORY; encode_pca_close() is safe after it */
Status encode_pca_open(EncodePca *pca, int64_t width, int64_t batch) MUST_USE;
void encode_pca_close(EncodePca *pca);
/** Add a batch's held-out rows: every rank takes its share of them.
 *  ranks   local
 *  mean    in      [width] of the training rows, scaled alike */
void encode_pca_add(EncodePca *pca, const Team *team, const EncodeBatch *batch, const float *mean);
/** ranks   collective
 *  fails   ERR_MEMORY, ERR_NUMERIC */
Status encode_pca_finish(EncodePca *pca, Team *team) MUST_USE;
/** Explained variance of the best `count` directions; nan where nothing was held out.
 *  ranks   local */
double encode_pca_explained(const EncodePca *pca, int64_t count);

#endif
