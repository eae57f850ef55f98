/*
 * Formatted text as a frame. The text is formatted into a small buffer first, into
 * which most texts fit; a longer one is measured by that, allocated and formatted
 * again. vasprintf() would allocate for each text, and has no maximum.
 */
#include <config.h>

#include "frame_print.h"

#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SHORT 256

/* The LENGTH bytes of the text in new memory, with a NUL behind them; NULL when
 * memory is short. */
CRIER_PRINTF(2, 0)
static char *format_again(size_t length, const char *format, va_list arguments)
{
    char *text = malloc(length + 1);

    if (text != NULL)
        vsnprintf(text, length + 1, format, arguments);
    return text;
}

int crier__frame_vprintf(struct crier_frame **frame, const char *type,
                         const char *format, va_list arguments)
{
    char brief[SHORT], *text = brief;
    va_list again;
    int length, error;

    if (frame == NULL || format == NULL)
        return CRIER_ERR_NULL;
    va_copy(again, arguments);
    length = vsnprintf(brief, sizeof brief, format, arguments);
    if (length < 0)
        error = -errno;
    else if ((size_t)length > CRIER_EVENT_MAX)
        error = CRIER_ERR_FRAME_SIZE;
    else
        error = 0;
    if (error == 0 && (size_t)length >= sizeof brief) {
        text = format_again((size_t)length, format, again);
        error = text != NULL ? 0 : -ENOMEM;
    }
    va_end(again);
    if (error == 0)
        error = crier__frame_data(type, text, (size_t)length, frame);
    if (text != brief)
        free(text);
    return error;
}

int crier_frame_printf(struct crier_frame **frame, const char *type,
                       const char *format, ...)
{
    va_list arguments;
    int error;

    va_start(arguments, format);
    error = crier__frame_vprintf(frame, type, format, arguments);
    va_end(arguments);
    return error;
}
