#ifndef CRIER_REDIS_URL_H
#define CRIER_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRIER__REDIS_SENTINELS 8

struct crier__redis_address {
    char *host; /* or the path of a unix socket, which begins with '/' */
    unsigned port;
};

/*
 * redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?PARAMETER=VALUE&...]
 * redis+unix:/PATH[?...] and valkey:// are the same. Parameters:
 *
 *     name      of the journal in the database; default crier. [A-Za-z0-9._-]{1,64}
 *     db, user, password, password-file (its first line)
 *     sentinel  HOST:PORT,HOST:PORT...; the URL's host is then the name of the master, and
 *               has no port. sentinel-password
 *     wait      so many replicas must have an update before it is acknowledged; default 0
 *     timeout   how long a publisher waits for Redis, e.g. 5s; default 5s, 100ms to 60s
 *     cache     how much of the newest updates a node keeps, e.g. 64M; default 64M, from 1k
 *               (with so little, all reads but the newest updates ask Redis)
 */
struct crier__redis_url {
    struct crier__redis_address server; /* its host is the master's name with sentinels */
    struct crier__redis_address sentinels[CRIER__REDIS_SENTINELS];
    unsigned sentinel_count;
    char *user, *password, *sentinel_password; /* or NULL */
    unsigned db;
    char name[65];
    unsigned wait;
    unsigned timeout; /* ms */
    size_t cache;
    char *shown; /* the URL without its password, for messages */
};

/* Writes what TEXT says to a *new* *URL. CRIER_ERR_INVALID, -ENOMEM, -errno (the file of the
 * password); REASON then says what is wrong. */
int crier__redis_url_parse(const char *text, struct crier__redis_url **url,
                           char reason[256]);
void crier__redis_url_free(struct crier__redis_url *url);

#endif
