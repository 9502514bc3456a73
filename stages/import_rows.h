#ifndef IMPORT_ROWS_H
#define IMPORT_ROWS_H

#include "stage.h"
#include "status.h"

/** activations.h5 from rows made elsewhere (section `import`): `activations` [rows, width], with
 *  `tokens` and `documents` [rows] beside them where there are any. Where there are no rows but tokens
 *  or documents (rows known by their codes alone) /activation is [rows, 0].
 *  ranks   collective
 *  fails   ERR_CONFIG (the section says nothing), ERR_MISSING, ERR_FORMAT, ERR_UNSUPPORTED, ERR_DATA,
 *          ERR_STALE, ERR_SPACE, ERR_FILE, ERR_MEMORY */
Status import_rows(Stage *stage) MUST_USE;

#endif
