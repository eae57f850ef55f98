/*
 * A shard: one thread with an inbox, timers and an epoll set.
 *
 * Other threads never touch what a shard owns. They post tasks, and the shard runs
 * these in the order in which they were posted; that order gives "sent before" the same
 * meaning for everyone. A task is embedded in the object that it is about, so posting
 * allocates nothing.
 *
 * The thread works in passes:
 *
 *     wait for events, a task or the next timer
 *     call the watches that are ready
 *     run the tasks that have arrived by now
 *     fire the timers that are due
 *     run the tasks that these three have deferred: above all, one flush for each
 *     stream, of all that they have appended to it
 *
 * `more` tells a task whether another one of the same pass follows, and so whether it
 * is worth gathering frames.
 *
 * Under load, tasks gather while a pass runs, and the next pass takes all of them: the
 * work per wake-up falls as the load rises. A publisher pays for a wake-up (one write
 * to an eventfd) only when the shard is asleep.
 *
 * If each of many new streams woke the shard, waking would cost as much as connecting
 * on a busy machine. So after a pass with new streams the shard dozes for a
 * millisecond: further new streams wait for the end of it, anything else wakes the
 * shard.
 *
 * Lock order: the lock of a broadcaster, then of a shard, then of a transport. The lock
 * of a shard is held for a few instructions only, and no callback runs under it.
 */
#include <config.h>

#include "shard.h"

#include "base/thread.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_PER_PASS 256

/* How long a shard dozes, ms. */
#define DOZE 1

/* ---- queues ----------------------------------------------------------- */

static void init_queue(struct crier__queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void add_task(struct crier__queue *queue, struct crier__task *task)
{
    task->next = NULL;
    *queue->end = task;
    queue->end = &task->next;
}

/* Runs all tasks of QUEUE, and those that they add to it. */
static void run_queue(struct crier__shard *shard, struct crier__queue *queue)
{
    struct crier__task *task;

    while ((task = queue->first) != NULL) {
        queue->first = task->next;
        if (queue->first == NULL)
            queue->end = &queue->first;
        shard->more = queue->first != NULL;
        task->run(task);
    }
}

static void post_task(struct crier__shard *shard, struct crier__task *task,
                      bool newcomer)
{
    uint64_t one = 1;
    bool wake;

    pthread_mutex_lock(&shard->lock);
    add_task(&shard->inbox, task);
    shard->newcomers |= newcomer;
    wake = shard->rest == CRIER__ASLEEP ||
           (shard->rest == CRIER__DOZING && !newcomer);
    if (wake)
        shard->rest = CRIER__AWAKE;
    pthread_mutex_unlock(&shard->lock);
    /* If the write fails, the eventfd is full, and the shard is being woken. */
    if (wake && write(shard->wake_fd, &one, sizeof one) < 0)
        return;
}

void crier__shard_post(struct crier__shard *shard, struct crier__task *task)
{
    post_task(shard, task, false);
}

void crier__shard_post_newcomer(struct crier__shard *shard,
                                struct crier__task *task)
{
    post_task(shard, task, true);
}

void crier__shard_later(struct crier__shard *shard, struct crier__task *task)
{
    add_task(&shard->later, task);
}

/* ---- the thread ------------------------------------------------------- */

/* Moves the inbox to TASKS. */
static void take_inbox(struct crier__shard *shard, struct crier__queue *tasks)
{
    pthread_mutex_lock(&shard->lock);
    shard->rest = CRIER__AWAKE;
    shard->crowd = shard->newcomers;
    shard->newcomers = false;
    if (shard->inbox.first != NULL) {
        *tasks = shard->inbox;
        init_queue(&shard->inbox);
    } else {
        init_queue(tasks);
    }
    pthread_mutex_unlock(&shard->lock);
}

/* Writes how long to wait for events to *MILLISECONDS: 0 when there is a task. Returns
 * false when the shard must stop. */
static bool prepare_wait(struct crier__shard *shard, int *milliseconds)
{
    uint64_t next = crier__timers_next(&shard->timers);
    uint64_t now = next != CRIER__NO_TIME ? crier_now() : 0;
    int most = shard->crowd ? DOZE : 60000;
    bool idle, stop;

    pthread_mutex_lock(&shard->lock);
    idle = shard->inbox.first == NULL;
    stop = shard->stop;
    if (idle && !stop)
        shard->rest = shard->crowd ? CRIER__DOZING : CRIER__ASLEEP;
    pthread_mutex_unlock(&shard->lock);
    if (!idle || next <= now)
        *milliseconds = 0;
    else if (next == CRIER__NO_TIME && !shard->crowd)
        *milliseconds = -1;
    else
        *milliseconds =
            next - now > (uint64_t)most ? most : (int)(next - now);
    return !(idle && stop);
}

static void *run_shard(void *argument)
{
    struct crier__shard *shard = argument;
    struct epoll_event events[EVENTS_PER_PASS];
    struct crier__queue tasks;
    struct crier__watch *watch;
    int wait, count, i;

    while (prepare_wait(shard, &wait)) {
        count = epoll_wait(shard->epoll_fd, events, EVENTS_PER_PASS, wait);
        shard->now = crier_now();
        for (i = 0; i < count; i++) {
            watch = events[i].data.ptr;
            if (watch != NULL)
                watch->ready(watch, events[i].events);
        }
        take_inbox(shard, &tasks);
        run_queue(shard, &tasks);
        crier__timers_fire(&shard->timers, shard->now);
        run_queue(shard, &shard->later);
    }
    return NULL;
}

/* ---- start and stop --------------------------------------------------- */

int crier__shard_start(struct crier__shard *shard)
{
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET};
    int error;

    init_queue(&shard->inbox);
    init_queue(&shard->later);
    shard->now = crier_now();
    shard->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (shard->epoll_fd < 0)
        return -errno;
    shard->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shard->wake_fd < 0) {
        error = -errno;
        goto close_epoll;
    }
    if (epoll_ctl(shard->epoll_fd, EPOLL_CTL_ADD, shard->wake_fd, &wake) < 0) {
        error = -errno;
        goto close_wake;
    }
    error = -pthread_mutex_init(&shard->lock, NULL);
    if (error != 0)
        goto close_wake;
    error = crier__thread_start(&shard->thread, run_shard, shard);
    if (error == 0)
        return 0;
    pthread_mutex_destroy(&shard->lock);
close_wake:
    close(shard->wake_fd);
close_epoll:
    close(shard->epoll_fd);
    return error;
}

void crier__shard_join(struct crier__shard *shard)
{
    uint64_t one = 1;
    ssize_t written;

    pthread_mutex_lock(&shard->lock);
    shard->stop = true;
    pthread_mutex_unlock(&shard->lock);
    do
        written = write(shard->wake_fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    pthread_join(shard->thread, NULL);
}

bool crier__shard_finish(struct crier__shard *shard)
{
    struct crier__queue tasks;
    bool any;

    take_inbox(shard, &tasks);
    any = tasks.first != NULL;
    run_queue(shard, &tasks);
    run_queue(shard, &shard->later);
    return any;
}

void crier__shard_done(struct crier__shard *shard)
{
    crier__timers_done(&shard->timers);
    pthread_mutex_destroy(&shard->lock);
    close(shard->wake_fd);
    close(shard->epoll_fd);
}
