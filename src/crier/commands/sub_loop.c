/*
 * The loop of `crier sub`: receives events, prints them, and saves the last id.
 *
 * Output is flushed when no more events are available or the buffer is full. So a fast
 * stream needs few writes, and a slow one is printed event by event. The saved id
 * advances only over events that a flush has written whole, or whose --exec command has
 * succeeded.
 */
#include <config.h>

#include "sub_loop.h"

#include "base/json_read.h"
#include "crier/cli/note.h"
#include "crier/cli/printable.h"
#include "crier/cli/secret.h"
#include "crier/output/format.h"
#include "crier/output/output.h"
#include "subscription.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Number of messages between two checks of signals and the timeout. */
#define CHECK_INTERVAL 256

#define LOOP_RUNNING (-1)

struct loop {
    const struct options *options;
    const struct sub_options *sub;
    struct signals *signals;
    struct state *state;
    struct exec *exec;
    struct subscription subscription;
    struct output output;
    struct event_format format;
    struct text origin; /* the server or URL, without secrets */
    uint64_t until;     /* when the timeout expires; UINT64_MAX for never */
    uint64_t count;     /* events printed */
    unsigned unchecked; /* messages since the last check */
    bool lost;          /* the connection was lost, and this was reported */
    bool opened;        /* a connection was open once */
    bool output_failed; /* standard output failed; buffered events were dropped */
    int status;         /* exit status; LOOP_RUNNING until the loop ends */
};

/* Ends the loop with STATUS, unless it has already ended. */
static void end_loop(struct loop *loop, int status)
{
    if (loop->status == LOOP_RUNNING)
        loop->status = status;
}

/* ---- output ------------------------------------------------------------- */

/* Returns the exit status after the timeout. */
static int get_timeout_status(const struct loop *loop)
{
    return loop->sub->count != 0 || loop->sub->once ? EXIT_TIME : EXIT_SUCCESS;
}

/* Ends the loop after ERROR of standard output. */
static void end_output(struct loop *loop, int error)
{
    loop->output_failed = true;
    if (error == -EPIPE || error == -EINTR) { /* the reader closed the pipe; a signal */
        end_loop(loop, EXIT_SUCCESS);
    } else if (error == -ETIMEDOUT) {
        loop->status = get_timeout_status(loop);
    } else if (error == -ECANCELED) {
        note_error(
            "standard output was not read in time: its last event is incomplete");
        loop->status = EXIT_FAILURE;
    } else {
        note_error("cannot write: %s", strerror(-error));
        loop->status = EXIT_FAILURE;
    }
}

/* Flushes the output and saves the id. */
static void flush_events(struct loop *loop)
{
    const char *id;
    int error;

    if (loop->output_failed)
        return;
    error = output_flush(&loop->output, loop->signals, loop->until, &id);
    /* events left in a closed pipe were not read */
    if (id != NULL && error != -EPIPE)
        state_set_id(loop->state, id);
    if (error != 0)
        end_output(loop, error);
    else if (!state_save(loop->state, false))
        loop->status = EXIT_FAILURE;
}

/* Handles STATUS of waitpid(), not 0, of an --exec command. */
static void report_exec_failure(struct loop *loop, int status)
{
    const char *name = loop->exec->argv[0];

    if (signals_pending(loop->signals)) { /* Ctrl-C reached both processes */
        if (WIFEXITED(status))
            note("%s ended with status %d", name, WEXITSTATUS(status));
        end_loop(loop, EXIT_SUCCESS);
        return;
    }
    if (WIFEXITED(status))
        note_error("%s ended with status %d", name, WEXITSTATUS(status));
    else
        note_error("%s was killed by signal %d (%s)", name, WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
    end_loop(loop, EXIT_COMMAND);
}

static void exec_event(struct loop *loop, const struct crier_message *message)
{
    int status = exec_run(loop->exec, message);

    if (status == 0) {
        output_mark_event(&loop->output, message->id);
        flush_events(loop);
        if (!state_save(loop->state, true))
            loop->status = EXIT_FAILURE;
    } else if (status > 0) {
        report_exec_failure(loop, status);
    } else {
        end_loop(loop, EXIT_COMMAND);
    }
}

static bool is_wanted(const struct sub_options *sub,
                      const struct crier_message *message)
{
    size_t i;

    for (i = 0; i < sub->type_count; i++)
        if (strlen(sub->types[i]) == message->type_length &&
            memcmp(sub->types[i], message->type, message->type_length) == 0)
            return true;
    return sub->type_count == 0;
}

/* Reports a gap: the server has expired some of the requested updates. */
static void note_gap(const struct crier_message *message)
{
    json_t *gap = json_read(message->data, message->length, 0, NULL);
    const char *id = json_string_value(json_object_get(gap, "requested"));

    if (id != NULL)
        note("the server no longer has all updates after '%s'; "
             "continuing with the oldest it has",
             id);
    else
        note("the server no longer has all updates that were requested; "
             "continuing with the oldest it has");
    json_decref(gap);
}

static void take_event(struct loop *loop, const struct crier_message *message)
{
    bool wanted = is_wanted(loop->sub, message);

    if (loop->sub->url == NULL && !message->has_id &&
        strcmp(message->type, "gap") == 0) {
        flush_events(loop);
        note_gap(message);
    }
    if (wanted && loop->sub->exec != NULL) {
        exec_event(loop, message);
    } else {
        if (wanted)
            format_event(&loop->format, &loop->output.text, message);
        output_mark_event(&loop->output, message->id);
        if (output_is_full(&loop->output)) {
            flush_events(loop);
            loop->unchecked = CHECK_INTERVAL - 1; /* that may have taken long */
        }
    }
    if (wanted && ++loop->count == loop->sub->count)
        end_loop(loop, EXIT_SUCCESS);
}

/* ---- messages of the client --------------------------------------------- */

static void take_error(struct loop *loop, const struct crier_message *message)
{
    struct text wait = {0};

    flush_events(loop);
    text_add_seconds(&wait, message->retry);
    if (loop->opened)
        note("connection lost: %s; reconnecting in %s", message->reason, wait.bytes);
    else
        note("%s: %s; retrying in %s", loop->origin.bytes, message->reason, wait.bytes);
    text_done(&wait);
    loop->lost = true;
}

static void take_open(struct loop *loop, const struct crier_message *message)
{
    /* No event has arrived, so everything up to this id is printed. */
    if (!loop->opened && loop->state->id.length == 0 && message->id[0] != '\0')
        state_set_id(loop->state, message->id);
    if (loop->lost && loop->opened)
        note("reconnected");
    else if (loop->options->verbose || loop->lost)
        note("connected to %s", loop->origin.bytes);
    loop->opened = true;
    loop->lost = false;
}

/* Handles the end of the stream when crier is not to reconnect. */
static void take_stream_end(struct loop *loop)
{
    if (loop->sub->count == 0 && !loop->sub->once) {
        end_loop(loop, EXIT_SUCCESS);
        return;
    }
    note_error("%s: the stream ended before %s was complete", loop->origin.bytes,
               loop->sub->once ? "--once" : "--count");
    end_loop(loop, EXIT_CUT);
}

static void take_closed(struct loop *loop, const struct crier_message *message)
{
    flush_events(loop);
    switch (message->error) {
    case CRIER_ERR_NO_CONTENT:
        end_loop(loop, EXIT_SUCCESS);
        return;
    case CRIER_ERR_ENDED:
        take_stream_end(loop);
        return;
    case CRIER_ERR_NETWORK:
        if (!loop->opened)
            break;
        note_error("connection lost: %s", message->reason);
        end_loop(loop, EXIT_CUT);
        return;
    default:
        break;
    }
    note_error("%s: %s", loop->origin.bytes, message->reason);
    end_loop(loop, EXIT_FAILURE);
}

static void take_comment(struct loop *loop, const struct crier_message *message)
{
    if (loop->options->verbose)
        note("comment: %s", message->data);
    /* From crierd: the end of what is held, or of topics that have ended. Without this
     * comment, the end of the stream may be a lost connection. */
    if (loop->sub->url != NULL || strcmp(message->data, " end") != 0)
        return;
    if (loop->sub->once)
        end_loop(loop, EXIT_SUCCESS);
    else
        take_stream_end(loop);
}

static void take_message(struct loop *loop, const struct crier_message *message)
{
    switch (message->kind) {
    case CRIER_EVENT:
        take_event(loop, message);
        break;
    case CRIER_OPEN:
        take_open(loop, message);
        break;
    case CRIER_ERROR:
        take_error(loop, message);
        break;
    case CRIER_CLOSED:
        take_closed(loop, message);
        break;
    case CRIER_COMMENT:
        take_comment(loop, message);
        break;
    case CRIER_RETRY:
        break;
    }
}

/* ---- the loop ----------------------------------------------------------- */

/* Ends the loop after a signal or the timeout. */
static void check_limits(struct loop *loop)
{
    loop->unchecked = 0;
    if (signals_pending(loop->signals))
        end_loop(loop, EXIT_SUCCESS);
    else if (crier_now() >= loop->until)
        end_loop(loop, get_timeout_status(loop));
}

static int choose_shorter(int one, int other)
{
    if (one < 0 || (other >= 0 && other < one))
        return other;
    return one;
}

/* Waits until something happens. */
static void wait_for_message(struct loop *loop)
{
    struct pollfd polled[] = {
        {.fd = crier_client_fd(loop->subscription.client), .events = POLLIN},
        {.fd = loop->signals->fd, .events = POLLIN},
        /* notifies when the reader closes the pipe; not with --exec, whose command
         * writes */
        {.fd = loop->sub->exec == NULL ? STDOUT_FILENO : -1},
    };
    int wait = state_save_delay(loop->state);
    uint64_t now = crier_now();

    if (loop->until != UINT64_MAX)
        wait = choose_shorter(wait, loop->until <= now ? 0
                                    : loop->until - now < 1000000
                                        ? (int)(loop->until - now)
                                        : 1000000);
    if (poll(polled, 3, wait) < 0 && errno != EINTR) {
        note_error("cannot poll: %s", strerror(errno));
        end_loop(loop, EXIT_FAILURE);
    } else if (polled[2].revents != 0) {
        end_loop(loop, EXIT_SUCCESS);
    }
}

static void run_loop(struct loop *loop)
{
    struct crier_message message;
    int result;

    while (loop->status == LOOP_RUNNING) {
        result = subscription_next(&loop->subscription, &message);
        if (result < 0) {
            note_error("%s", crier_error_text(result));
            end_loop(loop, EXIT_FAILURE);
        } else if (result > 0) {
            take_message(loop, &message);
        } else {
            flush_events(loop);
            if (loop->status == LOOP_RUNNING)
                wait_for_message(loop);
        }
        if (result <= 0 || ++loop->unchecked == CHECK_INTERVAL ||
            loop->sub->exec != NULL)
            check_limits(loop);
    }
    flush_events(loop);
    if (!state_save(loop->state, true))
        loop->status = EXIT_FAILURE;
}

int sub_loop_run(const struct options *options, const struct sub_options *sub,
                 struct signals *signals, struct state *state, struct exec *exec)
{
    const char *id = state->id.length != 0  ? state->id.bytes
                     : sub->last_id != NULL ? sub->last_id
                                            : "";
    struct loop loop = {.options = options,
                        .sub = sub,
                        .signals = signals,
                        .state = state,
                        .exec = exec,
                        .status = LOOP_RUNNING,
                        .until = UINT64_MAX};
    int error = subscription_open(&loop.subscription, options, sub, id);

    secret_url(&loop.origin, sub->url != NULL ? sub->url : options->server);
    if (error != 0) {
        note_error("%s: %s", loop.origin.bytes, crier_error_text(error));
        subscription_close(&loop.subscription);
        text_done(&loop.origin);
        return error == -ENOMEM ? EXIT_FAILURE : EXIT_USAGE;
    }
    output_open(&loop.output);
    format_init(&loop.format, sub->json, loop.output.terminal);
    if (sub->timeout != 0)
        loop.until = crier_now() + sub->timeout;
    run_loop(&loop);
    subscription_close(&loop.subscription);
    output_close(&loop.output);
    text_done(&loop.origin);
    return loop.status;
}
