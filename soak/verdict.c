/*
 * What was promised, what was done to try it, and how it ended. The first
 * promise that breaks during the run ends it, since what comes after would be
 * of no worth; memory and descriptors are judged at the end.
 */
#include <config.h>

#include "verdict.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const promises[PROMISES] = {
#define TEXT(name, text) text,
    SOAK_PROMISES(TEXT)};

static const char *const tallies[TALLIES] = {SOAK_TALLIES(TEXT)
#undef TEXT
};

bool verdict_broken(struct verdict *verdict, enum promise promise,
                    const char *format, ...)
{
    char *text = verdict->broken[promise];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof verdict->broken[promise], format, arguments);
    va_end(arguments);
    return fault("after %.1f s: BROKEN: %s: %s",
                 (double)(usage_now() - verdict->begun) / 1e9,
                 promises[promise], text);
}

static void remark(struct verdict *verdict, enum promise promise,
                   const char *format, va_list arguments)
{
    vsnprintf(verdict->remarks[promise], sizeof verdict->remarks[promise],
              format, arguments);
}

void verdict_remark(struct verdict *verdict, enum promise promise,
                    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    remark(verdict, promise, format, arguments);
    va_end(arguments);
}

void verdict_open(struct verdict *verdict, enum promise promise,
                  const char *format, ...)
{
    va_list arguments;

    verdict->open[promise] = true;
    va_start(arguments, format);
    remark(verdict, promise, format, arguments);
    va_end(arguments);
}

bool verdict_any(const struct verdict *verdict)
{
    for (int i = 0; i < PROMISES; i++)
        if (*verdict->broken[i] != '\0')
            return true;
    return false;
}

void verdict_print(const struct verdict *verdict)
{
    const char *text, *status;

    puts("");
    for (int i = 0; i < TALLIES; i++)
        printf("%12llu  %s\n", (unsigned long long)verdict->tally[i],
               tallies[i]);
    puts("");
    for (int i = 0; i < PROMISES; i++) {
        text = verdict->remarks[i];
        status = *verdict->broken[i] != '\0' ? "BROKEN"
                 : verdict->open[i]          ? "open"
                                             : "kept";
        printf("%-8s %s%s%s%s\n", status, promises[i],
               *text != '\0' ? " (" : "", text, *text != '\0' ? ")" : "");
        if (*verdict->broken[i] != '\0')
            printf("         %s\n", verdict->broken[i]);
    }
}
