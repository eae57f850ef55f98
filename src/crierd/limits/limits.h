#ifndef CRIERD_LIMITS_H
#define CRIERD_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct slot;

/* What is counted for the limits against abuse: --max-clients-per-address, --publish-rate
 * and --connect-rate. Each call reads the limit in conf_current(), costs next to nothing
 * while there is none, and counts and logs what it refuses. Any thread. */
struct limits;

/* NULL when memory is short. */
struct limits *limits_new(void);

/* Frees LIMITS, of which no stream is held any more; NULL is allowed. */
void limits_free(struct limits *limits);

/* Whose request it is. */
struct limits_client {
    const struct sockaddr *address;
    bool vague;          /* it is a proxy's, which does not say whose: never exempt */
    const char *subject; /* of its token, or NULL */
};

/* Whether a connection from ADDRESS, which has just been accepted, may stay. */
bool limits_may_connect(struct limits *limits, const struct sockaddr *address);

/* What a stream counts in. All zero: in nothing. */
struct limits_hold {
    struct slot *of_address, *of_subject;
};

/* Counts one more stream of CLIENT. HOLD is to be given back when the stream is over.
 * -EDQUOT when CLIENT has as many as it may, -ENOMEM; then HOLD is all zero. */
int limits_hold_stream(struct limits *limits, const struct limits_client *client,
                       struct limits_hold *hold);

/* Gives HOLD back. */
void limits_release_stream(struct limits *limits, const struct limits_hold *hold);

/* Whether CLIENT may publish UPDATES of BYTES together now. Returns 0, and counts them
 * then; or in how many seconds it may. */
uint64_t limits_publish(struct limits *limits, const struct limits_client *client,
                        uint64_t updates, uint64_t bytes);

/* The same, without counting what may be published. */
uint64_t limits_publish_wait(struct limits *limits,
                             const struct limits_client *client,
                             uint64_t updates, uint64_t bytes);

#endif
