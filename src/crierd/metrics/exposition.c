/*
 * Prometheus' text format, version 0.0.4: for each metric the lines HELP and TYPE, then its
 * values. Memory is checked once, at the end.
 */
#include <config.h>

#include "exposition.h"

#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one label whose value is escaped; what has no room is cut. */
#define LABEL_SIZE 512

struct exposition {
    FILE *to;
    char *bytes; /* valid when TO is closed */
    size_t length;
    const char *name; /* of the metric that was begun last; constant */
};

struct exposition *exposition_new(void)
{
    struct exposition *text = calloc(1, sizeof *text);

    if (text == NULL)
        return NULL;
    text->to = open_memstream(&text->bytes, &text->length);
    if (text->to != NULL)
        return text;
    free(text);
    return NULL;
}

char *exposition_end(struct exposition *text)
{
    char *bytes;
    bool well;

    if (text == NULL)
        return NULL;
    well = ferror(text->to) == 0;
    well &= fclose(text->to) == 0;
    bytes = text->bytes;
    free(text);
    if (well)
        return bytes;
    free(bytes);
    return NULL;
}

void exposition_begin(struct exposition *text, const char *name, const char *type,
                      const char *help)
{
    text->name = name;
    fprintf(text->to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Writes the name and LABELS of a value, with SUFFIX behind the name. */
static void write_series(struct exposition *text, const char *suffix,
                         const char *labels)
{
    bool braces = labels[0] != '\0';

    fprintf(text->to, "%s%s%s%s%s ", text->name, suffix, braces ? "{" : "", labels,
            braces ? "}" : "");
}

void exposition_count(struct exposition *text, const char *labels, uint64_t value)
{
    write_series(text, "", labels);
    fprintf(text->to, "%" PRIu64 "\n", value);
}

void exposition_number(struct exposition *text, const char *labels, double value)
{
    write_series(text, "", labels);
    fprintf(text->to, "%.16g\n", value);
}

void exposition_count_of(struct exposition *text, const char *name,
                         const char *value, uint64_t count)
{
    char label[LABEL_SIZE];
    size_t at = (size_t)snprintf(label, sizeof label, "%s=\"", name);

    for (; *value != '\0' && at + 4 < sizeof label; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            label[at++] = '\\';
        label[at++] = *value == '\n' ? 'n' : *value;
    }
    label[at++] = '"';
    label[at] = '\0';
    exposition_count(text, label, count);
}

void exposition_histogram(struct exposition *text,
                          const struct crier_histogram *histogram, double unit)
{
    char label[64];
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < histogram->bound_count; i++) {
        sum += histogram->counts[i];
        snprintf(label, sizeof label, "le=\"%.16g\"",
                 (double)histogram->bounds[i] / unit);
        write_series(text, "_bucket", label);
        fprintf(text->to, "%" PRIu64 "\n", sum);
    }
    sum += histogram->counts[histogram->bound_count];
    write_series(text, "_bucket", "le=\"+Inf\"");
    fprintf(text->to, "%" PRIu64 "\n", sum);
    write_series(text, "_sum", "");
    fprintf(text->to, "%.16g\n", (double)histogram->sum / unit);
    write_series(text, "_count", "");
    fprintf(text->to, "%" PRIu64 "\n", sum);
}

void exposition_table(struct exposition *text)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge"};
    const struct metric_row *row;
    int64_t sum;
    int i;

    for (i = 0; i < METRIC_COUNT; i++) {
        row = &metrics_rows[i];
        if (i == 0 || strcmp(row->name, row[-1].name) != 0)
            exposition_begin(text, row->name, types[row->type], row->help);
        sum = metrics_sum((enum metric)i);
        /* A gauge that one thread raises and another lowers may be read in between. */
        exposition_count(text, row->labels, sum > 0 ? (uint64_t)sum : 0);
    }
}
