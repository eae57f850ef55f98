#ifndef TESTS_FOLLOWING_H
#define TESTS_FOLLOWING_H

#include "crier_client.h"
#include "foreign.h"
#include "runner.h"

/*
 * A client of libcrier that follows a foreign server, one of each for a test. The
 * clock of the client is the test's: waits of minutes take no time. Programs are
 * linked with following.c and the flags WRAP_CLOCK of tests/Makefile.inc.
 */

/* The server, and what start() gives crier_client_new(): the server's URL and a
 * reconnection time of 1 ms. */
extern struct foreign server;
extern struct crier_client_options options;
extern struct crier_client *client;

/* The fixture. Its end frees the client, and fails when a descriptor is left. */
void following_setup(void);
void following_teardown(void);

/* A case named NAME in SUITE with that fixture. */
TCase *following_case(Suite *suite, const char *name);

/* Makes the client. */
void start(void);

/* The client's clock goes forward by MS. */
void skip(uint64_t ms);

/* Works until there is a message, and gives it. */
struct crier_message take(void);

/* Takes a message, and fails unless it is of this KIND. */
struct crier_message expect(enum crier_kind kind);

/* Takes an event with this data. */
struct crier_message expect_event(const char *data);

/* Takes an error or the end, with this ERROR. */
struct crier_message expect_error(int error);
struct crier_message expect_closed(int error);

/* Works until there is nothing to do, and fails when there is a message, or when it
 * never gets there. */
void settle(void);

/* Waits until the client has something to do, without doing it. */
void wait_readable(void);

/* The descriptor of the client's connection to the server, which must be open. */
int find_connection(void);

/* Waits until bytes have come on it that the client has not read. */
void wait_received(void);

/* Works, without a message, until the server has got N requests. */
void work_until_asked(size_t n);

/* Fails unless WAIT is WANTED and up to half of it more; ms. */
void check_wait(uint64_t wait, uint64_t wanted);

/* For foreign_make(): events of a good 1000 bytes, whose data and id is their
 * number; and takes COUNT of them from number FROM on. */
size_t make_event(uint64_t number, char *bytes);
void expect_made(uint64_t from, uint64_t count);

/* How many descriptors the process has. */
int descriptors(void);

#endif
