/*
 * The run as a picture: above, crierd's memory and the open streams; below, on a
 * logarithmic scale, the latency of clients that only read. Dots are the quiet points,
 * at which memory is checked; vertical lines are restarts.
 *
 * Plain SVG without scripts, in colors for the reader's preference of light or dark.
 * Lines do not depend on their color: each has its name at its end, and its own
 * pattern.
 */
#include <config.h>

#include "plot.h"

#include "bench/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 900
#define HEIGHT 560
#define LEFT 70
#define RIGHT 750 /* of the panels; names are to the right */
#define TOP 60
#define PANEL 190
#define SECOND_TOP 310
#define SILENCE 3 /* s without a sample that interrupt a line */
#define MIB (1024.0 * 1024)
#define LATENCY_MIN 1e5 /* ns, the lower end of the scale */

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
    "width=\"%d\" height=\"%d\" role=\"img\" "
    "aria-label=\"Crier: a soak\">\n"
    "<style>\n"
    "text { font: 13px system-ui, sans-serif; fill: #222; }\n"
    ".title { font-size: 16px; font-weight: 600; }\n"
    ".page { fill: #fff; }\n"
    ".grid { stroke: #dcdce2; stroke-width: 1; }\n"
    "polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }\n"
    ".a { stroke: #1f66b0; } text.a, circle.a { fill: #1f66b0; "
    "stroke: none; }\n"
    ".b { stroke: #b4540a; } text.b { fill: #b4540a; stroke: none; }\n"
    "polyline.b { stroke-width: 1; stroke-dasharray: 5 2; }\n"
    ".mark { stroke: #777; stroke-width: 1; stroke-dasharray: 2 3; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "text { fill: #e6e6e6; }\n"
    ".page { fill: #17181c; }\n"
    ".grid { stroke: #34363e; }\n"
    ".a { stroke: #6db0f2; } text.a, circle.a { fill: #6db0f2; }\n"
    ".b { stroke: #f0a05a; } text.b { fill: #f0a05a; }\n"
    ".mark { stroke: #999; }\n"
    "}\n"
    "</style>\n"
    "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n"
    "<text class=\"title\" x=\"%d\" y=\"26\">Crier: a soak of %.0f s, seed "
    "%" PRIu64 "</text>\n";

/* The scale of a line: from `low` at the bottom to `high` at the top. */
struct scale {
    double low, high;
    bool logarithmic;
    int top;
};

struct line {
    const char *class, *name;
    double (*value)(const struct sample *sample); /* NAN for none */
    struct scale scale;
};

static double get_memory(const struct sample *sample) { return sample->memory / MIB; }

static double get_streams(const struct sample *sample)
{
    return (double)sample->open_streams;
}

static double get_p50(const struct sample *sample)
{
    return sample->p50 > 0 ? sample->p50 : NAN;
}

static double get_p99(const struct sample *sample)
{
    return sample->p99 > 0 ? sample->p99 : NAN;
}

static double get_y(const struct scale *scale, double value)
{
    double share = scale->logarithmic
                       ? log(value / scale->low) / log(scale->high / scale->low)
                       : (value - scale->low) / (scale->high - scale->low);

    return scale->top + PANEL * (1 - fmin(fmax(share, 0), 1));
}

static double get_x(double at, double whole)
{
    return LEFT + (RIGHT - LEFT) * fmin(at / whole, 1);
}

static double find_highest(const struct samples *samples, const struct line *line)
{
    double high = 0;

    for (size_t i = 0; i < samples->sample_count; i++)
        high = fmax(high, line->value(&samples->list[i]));
    return high;
}

/* Returns a number of at least VALUE that is four times a round number. */
static double round_up(double value)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(fmax(value, 4) / 4)));
    size_t i = 0;

    while (4 * steps[i] * power < value && i < 4)
        i++;
    return 4 * steps[i] * power;
}

/* ---- lines -------------------------------------------------------------- */

static void draw_line(FILE *file, const struct samples *samples,
                      const struct line *line, double whole)
{
    bool drawing = false;
    double value, last = NAN, before = 0;

    for (size_t i = 0; i < samples->sample_count; i++) {
        value = line->value(&samples->list[i]);
        if (drawing && (isnan(value) || samples->list[i].at - before > SILENCE)) {
            fputs("\"/>\n", file);
            drawing = false;
        }
        if (isnan(value))
            continue;
        before = samples->list[i].at;
        if (!drawing)
            fprintf(file, "<polyline class=\"%s\" points=\"", line->class);
        fprintf(file, "%.1f,%.1f ", get_x(samples->list[i].at, whole),
                get_y(&line->scale, value));
        drawing = true;
        last = value;
    }
    fputs(drawing ? "\"/>\n" : "", file);
    if (!isnan(last))
        fprintf(file, "<text class=\"%s\" x=\"%d\" y=\"%.1f\">%s</text>\n", line->class,
                RIGHT + 50, get_y(&line->scale, last) + 4, line->name);
}

static void draw_tick(FILE *file, double y, const char *left, const char *right)
{
    fprintf(file,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
            "y2=\"%.1f\"/>\n"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n"
            "<text x=\"%d\" y=\"%.1f\">%s</text>\n",
            LEFT, RIGHT, y, y, LEFT - 8, y + 4, left, RIGHT + 8, y + 4, right);
}

static void draw_first(FILE *file, const struct samples *samples, double whole)
{
    struct line memory = {"a", "memory", get_memory, {.top = TOP}};
    struct line here = {"b", "streams", get_streams, {.top = TOP}};
    char left[32], right[32];

    memory.scale.high = round_up(find_highest(samples, &memory));
    here.scale.high = round_up(find_highest(samples, &here));
    for (int i = 0; i <= 4; i++) {
        snprintf(left, sizeof left, "%g", memory.scale.high * i / 4);
        snprintf(right, sizeof right, "%g", here.scale.high * i / 4);
        draw_tick(file, TOP + PANEL * (1 - i / 4.0), left, right);
    }
    fprintf(file,
            "<text x=\"%d\" y=\"%d\">Anonymous memory of crierd, MiB (left; "
            "dots: nobody connected) and open streams (right)</text>\n",
            LEFT, TOP - 10);
    draw_line(file, samples, &here, whole);
    draw_line(file, samples, &memory, whole);
    for (size_t i = 0; i < samples->quiet_count; i++)
        fprintf(file, "<circle class=\"a\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n",
                get_x(samples->quiets[i].at, whole),
                get_y(&memory.scale, samples->quiets[i].memory / MIB));
}

static void draw_second(FILE *file, const struct samples *samples, double whole)
{
    struct line p50 = {"a",
                       "p50",
                       get_p50,
                       {.low = LATENCY_MIN, .logarithmic = true, .top = SECOND_TOP}};
    struct line p99 = p50;
    char left[32];

    p99.class = "b";
    p99.name = "p99";
    p99.value = get_p99;
    p50.scale.high =
        pow(10, ceil(log10(fmax(find_highest(samples, &p99), 10 * LATENCY_MIN))));
    p99.scale = p50.scale;
    for (double value = LATENCY_MIN; value <= p50.scale.high * 1.01; value *= 10) {
        snprintf(left, sizeof left, "%g", value / 1e6);
        draw_tick(file, get_y(&p50.scale, value), left, "");
    }
    fprintf(file,
            "<text x=\"%d\" y=\"%d\">From publishing until a client that "
            "does nothing but read has it, ms</text>\n",
            LEFT, SECOND_TOP - 10);
    draw_line(file, samples, &p50, whole);
    draw_line(file, samples, &p99, whole);
}

static void draw_mark(FILE *file, const struct mark *mark, double whole, int top)
{
    fprintf(file,
            "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" "
            "y2=\"%d\"><title>%s at %.0f s</title></line>\n",
            get_x(mark->at, whole), get_x(mark->at, whole), top, top + PANEL,
            mark->crash ? "SIGKILL" : "SIGTERM", mark->at);
}

static void draw_time(FILE *file, const struct samples *samples, double whole)
{
    double step = round_up(whole) / 4;

    for (double at = 0; at <= whole; at += step)
        fprintf(file,
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g s"
                "</text>\n",
                get_x(at, whole), SECOND_TOP + PANEL + 20, at);
    for (size_t i = 0; i < samples->mark_count; i++) {
        draw_mark(file, &samples->marks[i], whole, TOP);
        draw_mark(file, &samples->marks[i], whole, SECOND_TOP);
    }
    if (samples->mark_count != 0)
        fprintf(file,
                "<text x=\"%d\" y=\"%d\">Lines from top to bottom: crierd "
                "was ended (SIGTERM, or SIGKILL) and started again</text>\n",
                LEFT, HEIGHT - 14);
}

bool plot_write(const struct samples *samples, uint64_t seed, const char *path)
{
    double whole =
        samples->sample_count != 0 ? samples->list[samples->sample_count - 1].at : 0;
    FILE *file = fopen(path, "we");
    bool ok;

    if (file == NULL)
        return fault("cannot write %s: %s", path, strerror(errno));
    if (whole < 1)
        whole = 1;
    fprintf(file, head, WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, whole, seed);
    draw_first(file, samples, whole);
    draw_second(file, samples, whole);
    draw_time(file, samples, whole);
    fputs("</svg>\n", file);
    ok = ferror(file) == 0;
    return (fclose(file) == 0 && ok) ||
           fault("cannot write %s: %s", path, strerror(errno));
}
