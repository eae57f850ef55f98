/*
 * crier pub --lines: standard input to a bulk publisher.
 *
 * The main thread reads lines and adds them to the publisher, and may block in either.
 * So another thread draws the progress line, on terminals only. A publisher that has
 * given up does not notify anybody; while it has work and no line arrives, it is
 * polled.
 */
#include <config.h>

#include "pub_lines.h"

#include "base/cond.h"
#include "base/thread.h"
#include "crier/cli/note.h"
#include "pub_input.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Interval of polling the publisher, in ms. */
#define ASK_INTERVAL 100

/* Interval of drawing the progress line, in ms. */
#define DRAW_INTERVAL 200

/* Period that the displayed rate is measured over, in ms. */
#define RATE_INTERVAL 2000
#define RATE_STEPS (RATE_INTERVAL / DRAW_INTERVAL)

struct progress {
    struct crier_publisher *publisher;
    uint64_t begun;
    uint64_t past[RATE_STEPS]; /* updates published at each of the last steps */
    size_t steps;              /* number of steps so far */

    pthread_t thread;
    pthread_mutex_t lock; /* guards the members below */
    pthread_cond_t ending;
    bool ended;
};

/* ---- progress ----------------------------------------------------------- */

static void draw_progress(struct progress *progress)
{
    struct crier_progress now;
    uint64_t since, steps;

    crier_publisher_progress(progress->publisher, &now);
    steps = progress->steps < RATE_STEPS ? progress->steps : RATE_STEPS;
    since = steps != 0 ? progress->past[(progress->steps - steps) % RATE_STEPS] : 0;
    note_progress("%" PRIu64 " sent  %" PRIu64 "/s  %" PRIu64 " errors", now.published,
                  steps != 0 ? (now.published - since) * 1000 / (steps * DRAW_INTERVAL)
                             : 0,
                  now.retries + (now.failed != 0));
    progress->past[progress->steps++ % RATE_STEPS] = now.published;
}

/* Waits until the next drawing. Returns whether the progress line has ended. */
static bool wait_to_draw(struct progress *progress)
{
    uint64_t until = crier_now() + DRAW_INTERVAL;
    bool ended;

    pthread_mutex_lock(&progress->lock);
    while (!progress->ended &&
           crier__cond_wait(&progress->ending, &progress->lock, until))
        ;
    ended = progress->ended;
    pthread_mutex_unlock(&progress->lock);
    return ended;
}

static void *run_progress(void *closure)
{
    do
        draw_progress(closure);
    while (!wait_to_draw(closure));
    return NULL;
}

/* Starts drawing the progress of PUBLISHER. Returns false if no thread can be started. */
static bool begin_progress(struct progress *progress, struct crier_publisher *publisher)
{
    bool ok;

    *progress = (struct progress){.publisher = publisher, .begun = crier_now()};
    pthread_mutex_init(&progress->lock, NULL);
    crier__cond_init(&progress->ending);
    ok = crier__thread_start(&progress->thread, run_progress, progress) == 0;
    if (!ok) {
        pthread_cond_destroy(&progress->ending);
        pthread_mutex_destroy(&progress->lock);
    }
    return ok;
}

/* Stops drawing, and draws a summary. */
static void end_progress(struct progress *progress)
{
    struct crier_progress all;
    uint64_t time = crier_now() - progress->begun;

    pthread_mutex_lock(&progress->lock);
    progress->ended = true;
    pthread_cond_signal(&progress->ending);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    pthread_cond_destroy(&progress->ending);
    pthread_mutex_destroy(&progress->lock);
    crier_publisher_progress(progress->publisher, &all);
    note_progress(
        "%" PRIu64 " sent in %" PRIu64 ".%u s  %" PRIu64 "/s  %" PRIu64 " errors",
        all.published, time / 1000, (unsigned)(time % 1000 / 100),
        all.published * 1000 / (time != 0 ? time : 1), all.retries + (all.failed != 0));
    note_progress_done();
}

/* ---- lines -------------------------------------------------------------- */

/* Returns how long to wait for a line: patience() of struct pub_input. */
static int get_patience(void *closure)
{
    struct crier_progress now;

    crier_publisher_progress(closure, &now);
    if (now.failed != 0)
        return 0;
    return now.published < now.added ? ASK_INTERVAL : -1;
}

/* Adds one line. Returns 0 or an error of crier_publisher_add(). */
static int add_line(struct crier_publisher *publisher, struct crier_event *event,
                    const struct pub_options *pub, const char *line, size_t length)
{
    crier_event_reset(event);
    crier_event_data(event, line, length);
    if (pub->type != NULL)
        crier_event_type(event, pub->type);
    if (pub->with_retry)
        crier_event_retry(event, (uint32_t)pub->retry);
    return crier_publisher_add(publisher, event);
}

/* Reports why reading stopped after NUMBER lines: RESULT of pub_input_read_line(), or
 * ERROR of add_line(). Returns the exit status. Errors of the publisher itself are not
 * reported here. */
static int report_end(uint64_t number, int result, int error)
{
    if (result == -ECANCELED || error == CRIER_ERR_FINISHED)
        return EXIT_SUCCESS;
    if (result == -EFBIG) {
        error = CRIER_ERR_FRAME_SIZE;
        number++;
    } else if (result < 0) {
        note_error("cannot read standard input: %s", strerror(-result));
        return EXIT_FAILURE;
    }
    if (error == 0)
        return EXIT_SUCCESS;
    note_error("line %" PRIu64 ": %s", number, crier_error_text(error));
    return EXIT_FAILURE;
}

/* Adds all lines. Returns the exit status, as report_end() does. */
static int add_lines(struct crier_publisher *publisher, const struct pub_options *pub)
{
    struct crier_event *event = crier_event_new();
    struct pub_input input = {.patience = get_patience, .closure = publisher};
    const char *line;
    size_t length;
    uint64_t number = 0;
    int result, error = 0;

    if (event == NULL) {
        note_error("out of memory");
        return EXIT_FAILURE;
    }
    while ((result = pub_input_read_line(&input, CRIER_EVENT_MAX, &line, &length)) >
           0) {
        number++;
        error = add_line(publisher, event, pub, line, length);
        if (error != 0)
            break;
    }
    pub_input_done(&input);
    crier_event_free(event);
    return report_end(number, result, error);
}

int pub_lines_run(const struct options *options, const struct pub_options *pub)
{
    struct crier_publisher_options publisher_options;
    struct crier_published published = {0};
    struct crier_publisher *publisher;
    struct crier_progress all;
    struct progress progress;
    bool shown = false;
    int status, error;

    pub_options_for_publisher(options, pub, &publisher_options);
    error = crier_publisher_new(&publisher_options, &publisher);
    if (error != 0)
        return pub_options_report(options, pub, error, crier_error_text(error));
    if (!options->quiet && isatty(STDERR_FILENO))
        shown = begin_progress(&progress, publisher);
    status = add_lines(publisher, pub);
    error = crier_publisher_finish(publisher, &published);
    if (shown)
        end_progress(&progress);
    if (error != 0)
        status = pub_options_report(options, pub, error, published.reason);
    if (status != EXIT_SUCCESS) { /* lines are published in order, so this is where to
                                   * resume */
        crier_publisher_progress(publisher, &all);
        note("lines published: %" PRIu64, all.published);
    }
    crier_publisher_free(publisher);
    return status;
}
