#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H

#include "stage.h"
#include "train_rows.h"

/** cleave-train --plan RANKS: what training would take on so many ranks, dictionary by dictionary: memory a
 *  rank, disk, floating-point operations. Memory is what the very code would ask for, whether it is there
 *  or not. Printed on standard output by rank 0.
 *  ranks   collective
 *  rows    in      of train_rows_find()
 *  needs   train.replicas divides ranks
 *  fails   ERR_DATA, ERR_MEMORY */
Status train_plan_print(Stage *stage, TrainRows *rows, int64_t ranks) MUST_USE;

#endif
