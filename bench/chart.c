/*
 * The budgets as a picture: for each budget a bar, whose length is the used share of
 * it, and one line at 1 for all. For a lower limit the share is inverted, so that short
 * is always good.
 *
 * Plain SVG without scripts: usable in a page or alone, with colors for the reader's
 * preference of light or dark. Colors carry no information of their own: a missed
 * budget also says so.
 */
#include <config.h>

#include "chart.h"

#include "fault.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 760
#define TOP 64
#define ROW 44
#define LEFT 24
#define FULL 340      /* length of a share of 1 */
#define SHARE_MAX 1.5 /* longer bars are cut off */

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
    "width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n"
    "<style>\n"
    "text { font: 13px system-ui, sans-serif; fill: #222; }\n"
    ".title { font-size: 16px; font-weight: 600; }\n"
    ".number { font-weight: 600; }\n"
    ".page { fill: #fff; }\n"
    ".rest { fill: #e8e8ec; }\n"
    ".met { fill: #2a78c5; }\n"
    ".missed { fill: #c2410c; }\n"
    ".line { stroke: #222; stroke-width: 1.5; stroke-dasharray: 4 3; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "text { fill: #e6e6e6; }\n"
    ".page { fill: #17181c; }\n"
    ".rest { fill: #2b2d34; }\n"
    ".met { fill: #64a8ee; }\n"
    ".missed { fill: #f08a4b; }\n"
    ".line { stroke: #e6e6e6; }\n"
    "}\n"
    "</style>\n"
    "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n"
    "<text class=\"title\" x=\"%d\" y=\"28\">%s</text>\n";

static const char title[] = "Crier: how much of each budget is used";

/* Formats NUMBER for people. */
static void format_number(double number, char *text, size_t size)
{
    snprintf(text, size, number < 100 ? "%.2f" : "%.0f", number);
}

static void draw_budget(FILE *file, const struct budget *budget, double measured, int y)
{
    double share =
        budget->at_least ? budget->limit / measured : measured / budget->limit;
    bool met = result_met(budget, measured);
    char is[32] = "not measured", limit[32];

    format_number(budget->limit, limit, sizeof limit);
    fprintf(file, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT, y, budget->text);
    fprintf(file,
            "<rect class=\"rest\" x=\"%d\" y=\"%d\" width=\"%d\" "
            "height=\"14\" rx=\"2\"/>\n",
            LEFT, y + 7, FULL);
    if (!isnan(measured)) {
        format_number(measured, is, sizeof is);
        share = fmin(fmax(share, 0), SHARE_MAX);
        fprintf(file,
                "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" "
                "height=\"14\" rx=\"2\"/>\n",
                met ? "met" : "missed", LEFT, y + 7, share * FULL);
    }
    fprintf(file,
            "<text x=\"%d\" y=\"%d\"><tspan class=\"number\">%s</tspan> of "
            "at %s %s%s</text>\n",
            LEFT + (int)(SHARE_MAX * FULL) + 12, y + 19, is,
            budget->at_least ? "least" : "most", limit,
            isnan(measured) || met ? "" : ": missed");
}

bool chart_write(const struct results *results, const char *path)
{
    int height = TOP + ROW * (int)budgets_count + 12;
    FILE *file = fopen(path, "we");
    bool ok;

    if (file == NULL)
        return fault("cannot write %s: %s", path, strerror(errno));
    fprintf(file, head, WIDTH, height, WIDTH, height, title, WIDTH, height, LEFT,
            title);
    for (size_t i = 0; i < budgets_count; i++)
        draw_budget(file, &budgets[i], result_budget(results, &budgets[i]),
                    TOP + ROW * (int)i);
    fprintf(file,
            "<line class=\"line\" x1=\"%d\" x2=\"%d\" y1=\"%d\" "
            "y2=\"%d\"/>\n</svg>\n",
            LEFT + FULL, LEFT + FULL, TOP - 16, height - 8);
    ok = ferror(file) == 0;
    return (fclose(file) == 0 && ok) ||
           fault("cannot write %s: %s", path, strerror(errno));
}
