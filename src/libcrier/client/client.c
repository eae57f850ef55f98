/*
 * A client: receives one stream over HTTP, and reconnects when it breaks.
 *
 *               due                   over               reported
 *     WAITING --------> RUNNING -----------------> ENDING -------> WAITING
 *        ^                 |      a final response,    |            or OVER
 *        |   restart       |      close                v
 *        +-----------------+------------------------ OVER
 *
 * What libcurl receives goes into `input`. crier_client_next() parses one message of it
 * per call, and calls libcurl only when all of it is parsed. So the limits of the input
 * and of the parser bound the memory, however slowly the program takes its messages.
 *
 * A message that does not come from the parser is the `notice`. There is at most one:
 * OPEN comes before the first byte, ERROR and CLOSED after the last.
 *
 * Other threads set `orders` and wake the descriptor; the thread in crier_client_next()
 * does the rest. No lock is needed.
 *
 * Rejected: a thread for each client, which would need a bounded queue, and locks
 * around callbacks. A program that wants a thread calls crier_client_run() in one.
 */
#include <config.h>

#include "client_transfer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_RETRY 3000
#define DEFAULT_RETRY_MAX 60000

/* The longest time that a server can set; 49 days. */
#define RETRY_MAX UINT32_MAX

/* A server that sends endless data without a message must not keep the program in
 * crier_client_next(). */
#define STEPS_MAX 64

enum { ORDER_RESTART = 1, ORDER_CLOSE = 2 };

/* ---- its life --------------------------------------------------------- */

static char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

/* Whether a request with METHOD may be repeated (RFC 9110 9.2.2). */
static bool is_idempotent(const char *method)
{
    static const char *const names[] = {"GET",   "HEAD", "OPTIONS",
                                        "TRACE", "PUT",  "DELETE"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(method, names[i]) == 0)
            return true;
    return false;
}

/* Whether the client reconnects, by its options. */
static bool may_reconnect(const struct crier_client_options *options)
{
    if (options->reconnect != CRIER_RECONNECT_IDEMPOTENT)
        return options->reconnect == CRIER_RECONNECT_ALWAYS;
    return options->method != NULL ? is_idempotent(options->method)
                                   : options->body == NULL;
}

static int copy_options(struct crier_client *client,
                        const struct crier_client_options *options)
{
    client->retry = options->retry != 0 ? options->retry : DEFAULT_RETRY;
    client->retry_max =
        options->retry_max != 0 ? options->retry_max : DEFAULT_RETRY_MAX;
    if (client->retry > client->retry_max)
        client->retry = client->retry_max;
    client->read_timeout = options->read_timeout;
    client->persist = options->persist;
    client->reconnects = may_reconnect(options);
    client->url = strdup(options->url);
    if (client->url == NULL)
        return -ENOMEM;
    if (options->method != NULL &&
        (client->method = strdup(options->method)) == NULL)
        return -ENOMEM;
    if (options->body != NULL &&
        (client->body = copy_bytes(options->body, options->body_length)) == NULL)
        return -ENOMEM;
    return 0;
}

/* Sets the id after which to begin: from the option, or from a header of the
 * program. */
static int set_begin(struct crier_client *client, const char *id)
{
    int error;

    if (id == NULL)
        id = crier__http_header(&client->http, "Last-Event-ID");
    if (id == NULL)
        return 0;
    error = crier_parser_set_id(client->parser, id);
    return error != 0 || crier__http_value_fits(id) ? error : CRIER_ERR_ID_FIELD;
}

int crier_client_new(const struct crier_client_options *options,
                     struct crier_client **client)
{
    struct crier_client *made;
    int error;

    if (options == NULL || options->url == NULL || client == NULL)
        return CRIER_ERR_NULL;
    error = crier__http_check_url(options->url);
    if (error != 0)
        return error;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->state = CRIER__WAITING;
    made->notice = CRIER__SILENT;
    error = crier__fork_watch(&made->born);
    if (error == 0)
        error = crier__loop_init(&made->loop);
    if (error != 0) {
        free(made);
        return error;
    }
    error = crier__http_init(&made->http, &options->http);
    if (error == 0)
        error = copy_options(made, options);
    if (error == 0)
        error = crier_parser_new(&options->limits, &made->parser);
    if (error == 0)
        error = set_begin(made, options->last_event_id);
    if (error == 0)
        error = crier__client_prepare(made, options->body_length);
    if (error != 0) {
        crier_client_free(made);
        return error;
    }
    crier__loop_hold(&made->loop);
    *client = made;
    return 0;
}

int crier_client_set_url(struct crier_client *client, const char *url)
{
    char *copy;
    int error;

    if (client == NULL || url == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(client->born))
        return CRIER_ERR_FORKED;
    error = crier__http_check_url(url);
    if (error != 0)
        return error;
    copy = strdup(url);
    if (copy == NULL)
        return -ENOMEM;
    free(client->url);
    client->url = copy;
    return 0;
}

void crier_client_free(struct crier_client *client)
{
    if (client == NULL || crier__forked(client->born))
        return;
    crier__client_drop(client);
    if (client->handle != NULL)
        curl_easy_cleanup(client->handle);
    curl_slist_free_all(client->headers);
    crier__loop_done(&client->loop);
    crier_parser_free(client->parser);
    crier__http_done(&client->http);
    free(client->url);
    free(client->method);
    free(client->body);
    free(client);
}

int crier_client_fd(const struct crier_client *client)
{
    return client != NULL ? client->loop.set : -1;
}

/* ---- from state to state ---------------------------------------------- */

/* The client has ended; client->reason may hold the reason. */
static void end_client(struct crier_client *client, int error)
{
    client->state = CRIER__OVER;
    client->notice = CRIER_CLOSED;
    client->error = error;
    crier__loop_at(&client->loop, CRIER__NEVER);
}

/* Returns the time of Retry-After, within retry_max; ms. */
static uint64_t asked_wait(const struct crier_client *client)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(client->handle, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return 0;
    return (uint64_t)seconds < client->retry_max / 1000
               ? (uint64_t)seconds * 1000
               : client->retry_max;
}

/* Lets the client reconnect after its wait. */
static void come_back(struct crier_client *client, int error)
{
    uint64_t asked = client->status != 200 ? asked_wait(client) : 0;

    client->wait = crier__backoff(client->retry, client->retry_max,
                                  client->failures++);
    if (client->wait < asked)
        client->wait = asked;
    client->state = CRIER__WAITING;
    client->due = crier_now() + client->wait;
    client->notice = CRIER_ERROR;
    client->error = error;
    crier__loop_at(&client->loop, client->due);
}

static void connect_now(struct crier_client *client)
{
    int error = crier__client_connect(client);
    bool unsendable;

    crier__loop_at(&client->loop, CRIER__NEVER);
    if (error == 0)
        return;
    unsendable = error == CRIER_ERR_ID_SIZE || error == CRIER_ERR_ID_FIELD;
    if (unsendable)
        snprintf(client->reason, sizeof client->reason, "%s",
                 crier_error_text(error));
    if (!unsendable && client->reconnects)
        come_back(client, error);
    else
        end_client(client, error);
}

/* Carries out the orders of other threads. */
static void obey_orders(struct crier_client *client)
{
    int orders = atomic_exchange(&client->orders, 0);

    if (orders == 0 || client->state == CRIER__OVER)
        return;
    crier__client_drop(client);
    client->reason[0] = '\0';
    client->notice = CRIER__SILENT;
    if ((orders & ORDER_CLOSE) != 0) {
        snprintf(client->reason, sizeof client->reason, "closed");
        end_client(client, 0);
    } else {
        client->failures = 0;
        connect_now(client);
    }
}

/* The transfer is over, and all its messages have been reported. */
static void conclude_transfer(struct crier_client *client)
{
    bool again;
    int error = crier__client_judge(client, &again);

    crier__client_drop(client);
    if (again && client->reconnects)
        come_back(client, error);
    else
        end_client(client, error);
}

/* ---- working ---------------------------------------------------------- */

/* Returns how long the server may be silent; ms. Connecting has a limit of its own. */
static uint64_t get_patience(const struct crier_client *client)
{
    if (!client->connected &&
        client->read_timeout < client->http.connect_timeout)
        return client->http.connect_timeout;
    return client->read_timeout;
}

/* Returns when the transfer has taken too long. */
static uint64_t find_deadline(const struct crier_client *client)
{
    uint64_t silent, at = client->body_until;

    if (client->read_timeout == 0)
        return at;
    silent = client->heard + get_patience(client);
    return silent < at ? silent : at;
}

/* Gives the target of a redirect its own time. */
static void follow_redirect(struct crier_client *client)
{
    long followed = 0;

    curl_easy_getinfo(client->handle, CURLINFO_REDIRECT_COUNT, &followed);
    if (!client->answered && followed > client->redirects)
        client->body_until = CRIER__NEVER;
}

static bool is_late(struct crier_client *client)
{
    uint64_t at;

    if (client->body_until != CRIER__NEVER)
        follow_redirect(client);
    at = find_deadline(client);
    if (at <= crier_now())
        return true;
    if (at < client->loop.at) /* otherwise it is checked then */
        crier__loop_at(&client->loop, at);
    return false;
}

/* Ends the transfer, which is over or has to end. */
static void stop_client(struct crier_client *client, CURLcode result)
{
    curl_multi_remove_handle(client->loop.multi, client->handle);
    client->state = CRIER__ENDING;
    client->result = result;
}

/* A time is over: that of the body of a refusal, or of silence. */
static void cut_connection(struct crier_client *client)
{
    if (client->body_until <= crier_now())
        client->verdict = CRIER_ERR_STATUS; /* also for a redirect */
    snprintf(client->trouble, sizeof client->trouble,
             "nothing came for %g s", (double)get_patience(client) / 1000);
    stop_client(client, CURLE_OPERATION_TIMEDOUT);
}

/* All of the input is parsed, so the transfer can continue. */
static void resume_transfer(struct crier_client *client)
{
    CURLcode result;

    client->paused = false;
    client->heard = crier_now();
    client->resuming = true;
    result = curl_easy_pause(client->handle, CURLPAUSE_CONT);
    client->resuming = false;
    if (result != CURLE_OK) /* what libcurl held is lost */
        stop_client(client, result);
}

static bool run_transfer(struct crier_client *client)
{
    bool moved;
    CURLMsg *done;
    int left;

    if (client->paused) {
        resume_transfer(client);
        return true;
    }
    moved = crier__loop_step(&client->loop);
    done = curl_multi_info_read(client->loop.multi, &left);
    if (done != NULL) {
        stop_client(client, done->data.result);
        return true;
    }
    if (client->loop.stuck) {
        stop_client(client, CURLE_OUT_OF_MEMORY);
        return true;
    }
    if (is_late(client)) {
        cut_connection(client);
        return true;
    }
    return moved;
}

/* Works on when all messages have been reported. Returns whether that had any
 * effect. */
static bool work_once(struct crier_client *client)
{
    switch (client->state) {
    case CRIER__WAITING:
        if (client->due <= crier_now()) {
            connect_now(client);
            return true;
        }
        return crier__loop_step(&client->loop);
    case CRIER__RUNNING:
        return run_transfer(client);
    case CRIER__ENDING:
        conclude_transfer(client);
        return true;
    default:
        return false;
    }
}

/* ---- telling ---------------------------------------------------------- */

static void give_notice(struct crier_client *client,
                        struct crier_message *message)
{
    *message = (struct crier_message){
        .kind = (enum crier_kind)client->notice,
        .data = "",
        .type = "message",
        .type_length = strlen("message"),
        .id = crier_parser_id(client->parser),
        .status = client->status,
        .reason = "",
    };
    if (client->notice != CRIER_OPEN) {
        message->error = client->error;
        message->reason = client->reason[0] != '\0'
                              ? client->reason
                              : crier_error_text(client->error);
    }
    if (client->notice == CRIER_ERROR)
        message->retry = client->wait;
    client->closed = client->notice == CRIER_CLOSED;
    client->notice = CRIER__SILENT;
}

/* Writes the next message of the input to MESSAGE. */
static bool parse_input(struct crier_client *client, struct crier_message *message)
{
    const char *bytes;
    size_t length;
    int result;

    while (client->opened && client->at < client->input.length) {
        bytes = client->input.bytes + client->at;
        length = client->input.length - client->at;
        result = crier_parser_next(client->parser, &bytes, &length, message);
        client->at = client->input.length - length;
        if (result < 0) {
            crier__client_drop(client);
            end_client(client, result);
            return false;
        }
        if (result == 1 && message->kind == CRIER_RETRY)
            client->retry =
                message->retry < RETRY_MAX ? message->retry : RETRY_MAX;
        if (result == 1 && message->kind != CRIER_RETRY) {
            client->failures = 0;
            message->status = client->status;
            return true;
        }
    }
    return false;
}

static bool fill_message(struct crier_client *client, struct crier_message *message)
{
    if (client->notice == CRIER__SILENT && parse_input(client, message))
        return true;
    if (client->notice == CRIER__SILENT)
        return false;
    give_notice(client, message);
    return true;
}

int crier_client_next(struct crier_client *client,
                      struct crier_message *message)
{
    int steps;

    if (client == NULL || message == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(client->born))
        return CRIER_ERR_FORKED;
    if (client->closed)
        return CRIER_ERR_CLOSED;
    for (steps = 0; steps < STEPS_MAX; steps++) {
        obey_orders(client);
        if (fill_message(client, message)) {
            if (client->closed)
                crier__loop_end(&client->loop);
            else
                crier__loop_hold(&client->loop); /* there may be more */
            return 1;
        }
        if (!work_once(client))
            return 0;
    }
    crier__loop_hold(&client->loop);
    return 0;
}

/* ---- a loop of our own ------------------------------------------------ */

static void call_back(const struct crier_client_callbacks *callbacks,
                      struct crier_client *client,
                      const struct crier_message *message)
{
    void (*const handlers[])(void *, struct crier_client *,
                             const struct crier_message *) = {
        [CRIER_EVENT] = callbacks->on_event,
        [CRIER_COMMENT] = callbacks->on_comment,
        [CRIER_ERROR] = callbacks->on_error,
        [CRIER_CLOSED] = callbacks->on_closed,
    };

    if (message->kind == CRIER_OPEN) {
        if (callbacks->on_open != NULL)
            callbacks->on_open(callbacks->closure, client);
    } else if (handlers[message->kind] != NULL) {
        handlers[message->kind](callbacks->closure, client, message);
    }
}

int crier_client_run(struct crier_client *client,
                     const struct crier_client_callbacks *callbacks)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};
    struct crier_message message;
    int result, error;

    if (callbacks == NULL)
        return CRIER_ERR_NULL;
    for (;;) {
        result = crier_client_next(client, &message);
        if (result < 0)
            return result;
        if (result == 0) {
            poll(&poller, 1, -1);
            continue;
        }
        error = message.error;
        call_back(callbacks, client, &message);
        if (message.kind == CRIER_CLOSED)
            return error;
    }
}

static void give_order(struct crier_client *client, int what)
{
    if (client == NULL || crier__forked(client->born))
        return;
    atomic_fetch_or(&client->orders, what);
    crier__loop_wake(&client->loop);
}

void crier_client_restart(struct crier_client *client)
{
    give_order(client, ORDER_RESTART);
}

void crier_client_close(struct crier_client *client)
{
    give_order(client, ORDER_CLOSE);
}
