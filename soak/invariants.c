/*
 * The invariants, the counts of what was tried, and the results. The first broken
 * invariant ends the run, because later results would be meaningless. Memory and
 * descriptors are checked at the end.
 */
#include <config.h>

#include "invariants.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const invariant_texts[INVARIANTS] = {
#define TEXT(name, text) text,
    SOAK_INVARIANTS(TEXT)};

static const char *const tallies[TALLIES] = {SOAK_TALLIES(TEXT)
#undef TEXT
};

bool invariant_broken(struct invariants *invariants, enum invariant invariant,
                      const char *format, ...)
{
    char *text = invariants->broken[invariant];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof invariants->broken[invariant], format, arguments);
    va_end(arguments);
    return fault("after %.1f s: BROKEN: %s: %s",
                 (double)(usage_now() - invariants->begun) / 1e9,
                 invariant_texts[invariant], text);
}

static void format_remark(struct invariants *invariants, enum invariant invariant,
                          const char *format, va_list arguments)
{
    vsnprintf(invariants->remarks[invariant], sizeof invariants->remarks[invariant],
              format, arguments);
}

void invariant_note(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_remark(invariants, invariant, format, arguments);
    va_end(arguments);
}

void invariant_skip(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...)
{
    va_list arguments;

    invariants->open[invariant] = true;
    va_start(arguments, format);
    format_remark(invariants, invariant, format, arguments);
    va_end(arguments);
}

bool invariants_any_broken(const struct invariants *invariants)
{
    for (int i = 0; i < INVARIANTS; i++)
        if (*invariants->broken[i] != '\0')
            return true;
    return false;
}

void invariants_print(const struct invariants *invariants)
{
    const char *text, *status;

    puts("");
    for (int i = 0; i < TALLIES; i++)
        printf("%12llu  %s\n", (unsigned long long)invariants->tally[i], tallies[i]);
    puts("");
    for (int i = 0; i < INVARIANTS; i++) {
        text = invariants->remarks[i];
        status = *invariants->broken[i] != '\0' ? "BROKEN"
                 : invariants->open[i]          ? "skipped"
                                                : "holds";
        printf("%-8s %s%s%s%s\n", status, invariant_texts[i], *text != '\0' ? " (" : "",
               text, *text != '\0' ? ")" : "");
        if (*invariants->broken[i] != '\0')
            printf("         %s\n", invariants->broken[i]);
    }
}
