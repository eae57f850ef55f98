/*
 * /quotes: invented stock prices, replayed from data/quotes.csv in a loop. All clients
 * see the same point of the replay, which follows from the server's uptime. A client
 * first receives the list of symbols, then the latest price of each symbol that it asked
 * for, then prices as they change, each in an event whose type is the symbol.
 */
#include <config.h>

#include "base/clock.h"
#include "base/number.h"
#include "crierd/api/streams.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"
#include "crierd/log/log.h"
#include "crierd/metrics/kinds.h"
#include "demo_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "quotes.csv"
#define FILE_SIZE_MAX ((size_t)4 * 1024 * 1024)
#define SYMBOLS_MAX 32
#define PAUSE 300 /* ms between the last row and the first one again */

struct symbol {
    const char *symbol, *name;
    double opening; /* its first price, from which changes are counted */
};

struct row {
    uint64_t offset; /* ms */
    unsigned symbol;
    double price;
};

struct quotes {
    char *memory;
    struct symbol symbols[SYMBOLS_MAX];
    unsigned symbol_count;
    struct row *rows; /* in the order of their offsets */
    size_t row_count;
    uint64_t period;  /* ms */
    uint64_t started; /* crier_now() */
};

/* ---- the file --------------------------------------------------------- */

static int find_symbol(const struct quotes *quotes, const char *symbol)
{
    unsigned i;

    for (i = 0; i < quotes->symbol_count; i++)
        if (strcmp(quotes->symbols[i].symbol, symbol) == 0)
            return (int)i;
    return -1;
}

/* Cuts the next field off *LINE; NULL when there is none. */
static char *take_field(char **line)
{
    return *line != NULL ? strsep(line, ",") : NULL;
}

/* Reads LINE into the next row. False when it is malformed. */
static bool read_row(struct quotes *quotes, char *line)
{
    struct row *row = &quotes->rows[quotes->row_count];
    char *offset = take_field(&line), *symbol = take_field(&line);
    char *name = take_field(&line), *price = take_field(&line), *end;
    int known;

    if (price == NULL || line != NULL || *symbol == '\0' ||
        !text_valid(symbol, strlen(symbol), 1, 16) ||
        !text_valid(name, strlen(name), 1, 64) ||
        !crier__number_read(offset, quotes->row_count != 0 ? row[-1].offset : 0,
                            UINT32_MAX, &row->offset))
        return false;
    row->price = strtod(price, &end);
    if (end == price || *end != '\0')
        return false;
    known = find_symbol(quotes, symbol);
    if (known < 0) {
        if (quotes->symbol_count == SYMBOLS_MAX)
            return false;
        known = (int)quotes->symbol_count++;
        quotes->symbols[known] =
            (struct symbol){symbol, name, row->price};
    }
    row->symbol = (unsigned)known;
    quotes->row_count++;
    return true;
}

/* Reads all rows. Returns the number of the first malformed line, or 0. */
static size_t read_rows(struct quotes *quotes)
{
    char *rest = quotes->memory, *line;
    size_t number = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (number == 1 || *line == '\0') /* the header */
            continue;
        if (!read_row(quotes, line))
            return number;
    }
    return quotes->row_count != 0 ? 0 : number;
}

static size_t count_file_lines(const char *text)
{
    size_t lines = 1;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

struct quotes *quotes_new(const char *data)
{
    struct quotes *quotes = calloc(1, sizeof *quotes);
    char why[80] = "out of memory";
    size_t wrong;

    if (quotes != NULL && text_from_file(data, FILE_NAME, FILE_SIZE_MAX, &quotes->memory,
                                         why, sizeof why) == 0)
        quotes->rows = calloc(count_file_lines(quotes->memory), sizeof *quotes->rows);
    if (quotes == NULL || quotes->rows == NULL) {
        log_line(LOG_ERROR, "cannot read %s/" FILE_NAME ": %s", data, why);
        quotes_free(quotes);
        return NULL;
    }
    wrong = read_rows(quotes);
    if (wrong != 0) {
        log_line(LOG_ERROR, "%s/" FILE_NAME ": line %zu is not "
                 "offset_ms,symbol,name,price", data, wrong);
        quotes_free(quotes);
        return NULL;
    }
    quotes->period = quotes->rows[quotes->row_count - 1].offset + PAUSE;
    quotes->started = crier_now();
    return quotes;
}

void quotes_free(struct quotes *quotes)
{
    if (quotes == NULL)
        return;
    free(quotes->rows);
    free(quotes->memory);
    free(quotes);
}

/* ---- the stream ------------------------------------------------------- */

struct ticker {
    const struct quotes *quotes;
    uint32_t wanted;  /* a bit for each symbol */
    uint64_t cycle;   /* which replay */
    size_t next;      /* the next row */
    bool begun;
};

/* When the next row is due, by crier_now(). */
static uint64_t due_time(const struct ticker *ticker)
{
    const struct quotes *quotes = ticker->quotes;

    return quotes->started + ticker->cycle * quotes->period +
           quotes->rows[ticker->next].offset;
}

static void skip_row(struct ticker *ticker)
{
    if (++ticker->next == ticker->quotes->row_count) {
        ticker->next = 0;
        ticker->cycle++;
    }
}

static bool wants_symbol(const struct ticker *ticker, unsigned symbol)
{
    return (ticker->wanted >> symbol & 1) != 0;
}

/* Sends an event of TYPE with VALUE (stolen; NULL when memory was short). The JSON text
 * is made here, with few digits: 99.1, not 99.099999999999994. */
static int send_event(struct crier_stream *stream, const char *type,
                      json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(10));
    struct crier_frame *frame;
    int error = -ENOMEM;

    json_decref(value);
    if (text != NULL)
        error = crier_frame_text(type, text, &frame);
    free(text);
    if (error != 0)
        return error;
    error = crier_stream_send(stream, frame);
    crier_frame_unref(frame);
    return error;
}

static int send_row(struct crier_stream *stream, const struct quotes *quotes,
                    const struct row *row)
{
    const struct symbol *symbol = &quotes->symbols[row->symbol];
    char time[CRIER__CLOCK_TEXT_SIZE];

    crier__clock_text(crier__clock_real(), time);
    return send_event(stream, symbol->symbol,
                      json_pack("{s:s, s:s, s:f, s:f, s:s}", "symbol",
                                symbol->symbol, "name", symbol->name, "price",
                                row->price, "change",
                                row->price - symbol->opening, "time", time));
}

static int send_symbols(struct crier_stream *stream,
                        const struct ticker *ticker)
{
    const struct quotes *quotes = ticker->quotes;
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < quotes->symbol_count; i++)
        if (wants_symbol(ticker, i) &&
            json_array_append_new(list, json_pack("{s:s, s:s}", "symbol",
                                                  quotes->symbols[i].symbol, "name",
                                                  quotes->symbols[i].name)) != 0) {
            json_decref(list);
            return -ENOMEM;
        }
    return send_event(stream, "symbols", json_pack("{s:o}", "symbols", list));
}

/* Sends the latest row of each wanted symbol. */
static int send_latest(struct crier_stream *stream,
                       const struct ticker *ticker)
{
    const struct quotes *quotes = ticker->quotes;
    uint32_t missing = ticker->wanted;
    size_t back, at;
    int error = 0;

    for (back = 1; back <= quotes->row_count && missing != 0; back++) {
        at = (ticker->next + quotes->row_count - back) % quotes->row_count;
        if ((missing >> quotes->rows[at].symbol & 1) == 0)
            continue;
        missing &= ~(UINT32_C(1) << quotes->rows[at].symbol);
        error = send_row(stream, quotes, &quotes->rows[at]);
        if (error != 0)
            break;
    }
    return error;
}

/* Finds the current point of the replay and sends what a new client gets first. */
static int begin_replay(struct ticker *ticker, struct crier_stream *stream)
{
    const struct quotes *quotes = ticker->quotes;
    uint64_t now = crier_now();
    int error;

    ticker->cycle = (now - quotes->started) / quotes->period;
    while (due_time(ticker) <= now &&
           ticker->cycle == (now - quotes->started) / quotes->period)
        skip_row(ticker);
    error = send_symbols(stream, ticker);
    if (error == 0)
        error = send_latest(stream, ticker);
    ticker->begun = error == 0;
    return error;
}

static void send_due_rows(void *closure, struct crier_stream *stream)
{
    struct ticker *ticker = closure;
    const struct quotes *quotes = ticker->quotes;
    uint64_t now = crier_now();
    int error = 0;

    if (!ticker->begun)
        error = begin_replay(ticker, stream);
    while (error == 0) {
        const struct row *row = &quotes->rows[ticker->next];

        if (wants_symbol(ticker, row->symbol)) {
            if (due_time(ticker) > now)
                break;
            error = send_row(stream, quotes, row);
        }
        skip_row(ticker);
    }
    if (error == 0)
        crier_stream_wake(stream, due_time(ticker));
    else if (ticker->begun && demo_may_retry(error))
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    else
        crier_stream_close(stream);
}

static void end_ticker(void *closure, struct crier_stream *stream,
                       enum crier_reason reason)
{
    respond_stream_closed((void *)"/quotes", stream, reason);
    free(closure);
}

/* The symbols in the list PARAMETER, all without one, as bits. *WRONG is set to the first
 * unknown one, or NULL. */
static uint32_t read_symbols(const struct quotes *quotes,
                             const struct uri_text *parameter, const char **wrong)
{
    uint32_t all = (uint32_t)((UINT64_C(1) << quotes->symbol_count) - 1);
    char *rest, *symbol;
    uint32_t bits = 0;
    int index;

    *wrong = NULL;
    if (parameter == NULL)
        return all;
    rest = parameter->bytes;
    while ((symbol = strsep(&rest, ",")) != NULL) {
        index = find_symbol(quotes, symbol);
        if (index < 0) {
            *wrong = symbol;
            return 0;
        }
        bits |= UINT32_C(1) << index;
    }
    return bits;
}

bool quotes_get(struct request *request)
{
    const struct quotes *quotes = demo_of(request)->quotes;
    struct stream_start start = {
        .options = {.kind = STREAM_QUOTES,
                    .on_wake = send_due_rows,
                    .on_closed = end_ticker},
        .owns_closure = true,
    };
    struct ticker *ticker;
    const char *wrong;
    uint32_t bits = read_symbols(
        quotes, uri_parameter(&request->uri, "symbol"), &wrong);

    if (wrong != NULL && !text_valid(wrong, strlen(wrong), 1, 16))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "symbol is not a list such as ACME,GLBX");
    if (wrong != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "there is no symbol %s", wrong);
    ticker = calloc(1, sizeof *ticker);
    if (ticker == NULL)
        return respond_error(request, -ENOMEM);
    ticker->quotes = quotes;
    ticker->wanted = bits;
    start.options.closure = ticker;
    return streams_open(request, &start);
}
