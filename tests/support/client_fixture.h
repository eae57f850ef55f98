#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include "crier_client.h"
#include "foreign.h"
#include "runner.h"

/*
 * A client of libcrier and a foreign server that it subscribes to, one of each for a
 * test. The test sets the clock of the client, so that waits of minutes take no time.
 * Programs are linked with client_fixture.c and the flags WRAP_CLOCK of tests/Makefile.inc.
 */

/* The server, and the options that start() passes to crier_client_new(): the server's
 * URL and a reconnection time of 1 ms. */
extern struct foreign server;
extern struct crier_client_options options;
extern struct crier_client *client;

/* The fixture. Its end frees the client, and fails if a descriptor is left open. */
void client_fixture_setup(void);
void client_fixture_teardown(void);

/* A case named NAME in SUITE with that fixture. */
TCase *client_fixture_case(Suite *suite, const char *name);

/* Makes the client. */
void start(void);

/* Moves the client's clock forward by MS. */
void skip(uint64_t ms);

/* Runs the client until it has a message, and returns that. */
struct crier_message take(void);

/* The same; fails unless the message is of this KIND. */
struct crier_message expect(enum crier_kind kind);

/* The same; fails unless it is an event with this DATA. */
struct crier_message expect_event(const char *data);

/* The same; fails unless it is an error, or the end, with this ERROR. */
struct crier_message expect_error(int error);
struct crier_message expect_closed(int error);

/* Runs the client until it has nothing to do; fails if it has a message, or if it never
 * gets there. */
void settle(void);

/* Waits until the client has something to do, without doing it. */
void wait_readable(void);

/* Returns the descriptor of the client's connection to the server, which must be
 * open. */
int find_connection(void);

/* Waits until bytes have arrived on it that the client has not read. */
void wait_received(void);

/* Runs the client until the server has received N requests; fails at a message. */
void work_until_asked(size_t n);

/* Fails unless WAIT is between WANTED and 1.5 times WANTED; ms. */
void check_wait(uint64_t wait, uint64_t wanted);

/* For foreign_make(): makes an event of a little more than 1000 bytes, whose data and
 * id are its NUMBER. expect_made() expects COUNT of them, from number FROM on. */
size_t make_event(uint64_t number, char *bytes);
void expect_made(uint64_t from, uint64_t count);

/* Counts the open descriptors of the process. */
int descriptors(void);

#endif
