#include "architecture.h"

#include <stddef.h>

const Architecture *const ARCHITECTURES[] = {&ARCHITECTURE_TOPK,       &ARCHITECTURE_BATCHTOPK,
                                             &ARCHITECTURE_MATRYOSHKA, &ARCHITECTURE_JUMPRELU,
                                             &ARCHITECTURE_RELU,       NULL};
