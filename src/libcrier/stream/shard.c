/*
 * A shard: one thread with an inbox, timers and an epoll set.
 *
 * Other threads never touch what a shard owns. They post tasks, and the shard
 * runs them in the order posted; that order is what makes "sent before" mean the
 * same to everybody. Tasks live inside what they are about, so posting takes no
 * memory.
 *
 * The thread goes round in passes:
 *
 *     wait for events, a task or the next timer
 *     call the watches that are ready
 *     run the tasks that have come in by now
 *     fire the timers that are due
 *     run what these three left for later: above all, one send per stream for
 *     all that they gave it
 *
 * `more` tells a task whether another one of the same pass is behind it, and so
 * whether frames are worth gathering.
 *
 * Under load, tasks gather while a pass runs and the next pass takes them all:
 * the work per wake-up falls as the load rises. A publisher pays for a wake-up
 * (one write to an eventfd) only when it finds the shard asleep.
 *
 * A crowd of new streams would have it woken for each of them, and on a busy machine to
 * wake a thread costs as much as to connect. So when a pass had newcomers the shard only
 * dozes, for a millisecond: more newcomers wait for its end, anything else wakes it.
 *
 * Lock order: a broadcaster's lock, then a shard's, then a transport's. A shard's
 * lock is held for a few instructions only, and no callback runs under it.
 */
#include <config.h>

#include "shard.h"

#include "base/thread.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_PER_PASS 256

/* ms */
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

/* Runs all that QUEUE holds and all that they add to it. */
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
    /* An eventfd that is full is one that wakes already. */
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

/* How long to wait for events: not at all when a task is there. Returns false
 * when the shard is to stop. */
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
