#ifndef CRIER_PRINT_H
#define CRIER_PRINT_H

#include "crier.h"

#include <stdarg.h>

/* crier_frame_printf() with its arguments in ARGUMENTS, which are undefined
 * afterwards. */
int crier__frame_vprintf(struct crier_frame **frame, const char *type,
                         const char *format, va_list arguments)
    CRIER_PRINTF(3, 0);

#endif
