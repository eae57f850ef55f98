/*
 * Requests that libmicrohttpd refuses, because of their Content-Length or the size of their
 * cookies, before it calls crierd for them.
 *
 * 0.9.75 sends two response heads then, one behind the other (it forgets that it has made
 * the first, and makes it again), and 1.0.1 a page of its own. There is no callback
 * between the last line of a head and the refusal. But libmicrohttpd logs what is wrong
 * before it responds, in the thread that reads. So the requests whose heads are being read
 * are listed here; when such a complaint is logged, the request of this thread that it is
 * about gets crierd's response. What libmicrohttpd sends then finds the socket shut.
 *
 * Most heads come in one piece: then the list has one request a thread, and only while
 * that is read. Where the complaint is worded otherwise, or libmicrohttpd was built
 * without messages, its own response remains.
 *
 * Rejected: to look at the head while it is in the socket, as the acceptor does with a
 * connection's first (of a later one, libmicrohttpd may have read half); to read it in
 * libmicrohttpd's memory when the first line has been read (where the received bytes end
 * is not known); to close each connection after one request (proxies keep theirs).
 *
 * This can go when every supported libmicrohttpd calls back before it refuses a request,
 * or when its own single response is good enough.
 */
#include <config.h>

#include "reading.h"

#include <pthread.h>
#include <string.h>

/* When there are more, the list forgets one, and libmicrohttpd's own response remains for
 * that. */
#define READINGS_MAX 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static struct {
    struct MHD_Connection *connection;
    pthread_t thread;   /* which alone may look at the connection */
    atomic_uint *place; /* where the index is kept, and 1; read without the lock */
} readings[READINGS_MAX];
static unsigned count, forgotten;

/* A free place in the list. */
static unsigned make_room(void)
{
    unsigned at = forgotten;

    if (count < READINGS_MAX)
        return count++;
    forgotten = (forgotten + 1) % READINGS_MAX;
    atomic_store(readings[at].place, 0);
    return at;
}

void reading_begin(atomic_uint *place, struct MHD_Connection *connection)
{
    unsigned at;

    reading_end(place);
    pthread_mutex_lock(&lock);
    at = make_room();
    readings[at].connection = connection;
    readings[at].thread = pthread_self();
    readings[at].place = place;
    atomic_store(place, at + 1);
    pthread_mutex_unlock(&lock);
}

/* Takes what has the index AT out of the list. */
static void remove_reading(unsigned at)
{
    atomic_store(readings[at].place, 0);
    readings[at] = readings[--count];
    if (at != count)
        atomic_store(readings[at].place, at + 1);
}

void reading_end(atomic_uint *place)
{
    if (atomic_load(place) == 0)
        return;
    pthread_mutex_lock(&lock);
    if (atomic_load(place) != 0)
        remove_reading(atomic_load(place) - 1);
    pthread_mutex_unlock(&lock);
}

/* Takes the first request of this thread that IS_WRONG out of the list, and returns its
 * connection; NULL when there is none. */
static struct MHD_Connection *take_wrong(
    bool (*is_wrong)(struct MHD_Connection *connection))
{
    struct MHD_Connection *wrong = NULL;
    unsigned i;

    pthread_mutex_lock(&lock);
    for (i = 0; i < count && wrong == NULL; i++)
        if (pthread_equal(readings[i].thread, pthread_self()) &&
            is_wrong(readings[i].connection)) {
            wrong = readings[i].connection;
            remove_reading(i);
        }
    pthread_mutex_unlock(&lock);
    return wrong;
}

struct MHD_Connection *reading_find(
    const char *format, const char *complaint,
    bool (*is_wrong)(struct MHD_Connection *connection))
{
    return strstr(format, complaint) != NULL ? take_wrong(is_wrong) : NULL;
}
