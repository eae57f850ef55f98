/*
 * The texts of errors and reasons, all from the X-macro tables of crier.h, so that no
 * code lacks a text.
 */
#include <config.h>

#include "crier.h"

#include <string.h>

const char *crier_error_text(int error)
{
    const char *text = NULL;

    switch (error) {
    case 0:
        return "success";
#define ERROR_CASE(name, value, text)                                         \
    case name:                                                                \
        return text;
        CRIER_ERRORS(ERROR_CASE)
#undef ERROR_CASE
    default:
        break;
    }
#ifdef HAVE_STRERRORDESC_NP
    if (error < 0)
        text = strerrordesc_np(-error);
#else
    if (error < 0)
        text = strerror(-error);
#endif
    return text != NULL ? text : "unknown error";
}

const char *crier_reason_text(enum crier_reason reason)
{
    switch (reason) {
#define REASON_CASE(name, text)                                               \
    case name:                                                                \
        return text;
        CRIER_REASONS(REASON_CASE)
#undef REASON_CASE
    }
    return "unknown reason";
}

const char *crier_version(void)
{
    return PACKAGE_VERSION;
}
