/*
 * /quotes: stock rates, invented, replayed from data/quotes.csv over and over.
 * All clients see the replay at the same point: the server's uptime says where
 * it is. A client gets the symbols first, then the newest rate of each symbol it
 * asked for, then rates as they come, each under its symbol as the event's type.
 */
#include <config.h>

#include "base/clock.h"
#include "base/number.h"
#include "crierd/http/response.h"
#include "demo_parts.h"
#include "crierd/log/log.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "quotes.csv"
#define FILE_SIZE_MAX ((size_t)4 * 1024 * 1024)
#define SYMBOLS_MAX 32
#define PAUSE 300 /* ms between the last row and the first one again */

struct symbol {
    const char *symbol, *name;
    double opening; /* its first rate, to which a change is told */
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

/* Cuts the next field off *LINE. */
static char *field(char **line)
{
    return *line != NULL ? strsep(line, ",") : NULL;
}

static bool read_row(struct quotes *quotes, char *line)
{
    struct row *row = &quotes->rows[quotes->row_count];
    char *offset = field(&line), *symbol = field(&line);
    char *name = field(&line), *price = field(&line), *end;
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

/* Returns the number of the line that is wrong, 0 when none is. */
static size_t read_rows(struct quotes *quotes)
{
    char *rest = quotes->memory, *line;
    size_t number = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (number == 1 || *line == '\0') /* the names of the columns */
            continue;
        if (!read_row(quotes, line))
            return number;
    }
    return quotes->row_count != 0 ? 0 : number;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

struct quotes *quotes_new(const char *data)
{
    struct quotes *quotes = calloc(1, sizeof *quotes);
    size_t wrong;
    int error = -ENOMEM;

    if (quotes != NULL)
        error = text_from_file(data, FILE_NAME, FILE_SIZE_MAX,
                               &quotes->memory);
    if (error == 0) {
        quotes->rows = calloc(count_lines(quotes->memory),
                              sizeof *quotes->rows);
        error = quotes->rows != NULL ? 0 : -ENOMEM;
    }
    if (error != 0) {
        log_line(LOG_ERROR, "cannot read %s/" FILE_NAME ": %s", data,
                 crier_error_text(error));
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
    size_t next;      /* the row to come */
    bool begun;
};

static uint64_t due(const struct ticker *ticker)
{
    const struct quotes *quotes = ticker->quotes;

    return quotes->started + ticker->cycle * quotes->period +
           quotes->rows[ticker->next].offset;
}

static void advance(struct ticker *ticker)
{
    if (++ticker->next == ticker->quotes->row_count) {
        ticker->next = 0;
        ticker->cycle++;
    }
}

static bool wants(const struct ticker *ticker, unsigned symbol)
{
    return (ticker->wanted >> symbol & 1) != 0;
}

/* Sends an event of TYPE with VALUE (stolen). A rate of 99.10 is not written as
 * 99.099999999999994, which is why the JSON text is made here. */
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

    for (i = 0; i < quotes->symbol_count && list != NULL; i++)
        if (wants(ticker, i))
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "symbol",
                                quotes->symbols[i].symbol, "name",
                                quotes->symbols[i].name));
    return send_event(stream, "symbols", json_pack("{s:o}", "symbols", list));
}

/* Sends the newest row of each wanted symbol that is past. */
static int send_newest(struct crier_stream *stream,
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

static int begin(struct ticker *ticker, struct crier_stream *stream)
{
    const struct quotes *quotes = ticker->quotes;
    uint64_t now = crier_now();
    int error;

    ticker->cycle = (now - quotes->started) / quotes->period;
    while (due(ticker) <= now &&
           ticker->cycle == (now - quotes->started) / quotes->period)
        advance(ticker);
    error = send_symbols(stream, ticker);
    if (error == 0)
        error = send_newest(stream, ticker);
    ticker->begun = error == 0;
    return error;
}

static void woken(void *closure, struct crier_stream *stream)
{
    struct ticker *ticker = closure;
    const struct quotes *quotes = ticker->quotes;
    uint64_t now = crier_now();
    int error = 0;

    if (!ticker->begun)
        error = begin(ticker, stream);
    while (error == 0) {
        const struct row *row = &quotes->rows[ticker->next];

        if (wants(ticker, row->symbol)) {
            if (due(ticker) > now)
                break;
            error = send_row(stream, quotes, row);
        }
        advance(ticker);
    }
    if (error == 0)
        crier_stream_wake(stream, due(ticker));
    else if (ticker->begun && demo_may_retry(error))
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    else
        crier_stream_close(stream);
}

static void closed(void *closure, struct crier_stream *stream,
                   enum crier_reason reason)
{
    respond_stream_closed((void *)"/quotes", stream, reason);
    free(closure);
}

/* Reads the list of symbols in PARAMETER. On a wrong one *WRONG tells it. */
static uint32_t wanted(const struct quotes *quotes,
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
    struct quotes *quotes = demo_of(request)->quotes;
    struct crier_stream_options options = {
        .on_wake = woken,
        .on_closed = closed,
    };
    struct MHD_Response *response;
    struct crier_stream *stream;
    struct ticker *ticker;
    const char *wrong;
    uint32_t bits;

    bits = wanted(quotes, uri_parameter(&request->uri, "symbol"), &wrong);
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
    options.closure = ticker;
    if (!respond_stream(request, &options, &stream, &response)) {
        free(ticker);
        return request->result;
    }
    crier_stream_unref(stream);
    return response_stream(request, response);
}
