/*
 * crier sub where something breaks in the middle: the connection, by a server
 * that says what a crierd does only when something is wrong with it.
 */
#include <config.h>

#include "support/command.h"
#include "support/foreign.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <string.h>

static struct foreign server;

static void setup(void)
{
    scratch_make();
    foreign_start(&server);
    command_environment(server.port);
}

static void teardown(void)
{
    foreign_stop(&server);
    scratch_remove();
}

/* ---- --once ----------------------------------------------------------- */

START_TEST(once_is_all_that_is_held)
{
    const struct foreign_request *request;

    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n: ping\n\n");
    foreign_close(&server); /* in good order, but not at the end */
    foreign_stream(&server);
    foreign_say(&server, "id: 2\ndata: b\n\nid: 3\ndata: c");
    foreign_reset(&server);
    foreign_answer(&server, "503 Soon", "", "");
    foreign_stream(&server);
    foreign_say(&server, "id: 3\ndata: c\n\n: end\n\n");
    foreign_hold(&server); /* and it does not wait for more */
    command_expect(0, "a\nb\nc\n", "crier: connection lost: ", NULL,
                   WORDS("sub", "n", "--once", "--retry=10ms"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->target, "/topics/n?format=full&poll=1");
    ck_assert(!foreign_has(request, "Last-Event-ID"));
    request = foreign_request(&server, 1);
    ck_assert_str_eq(request->target, "/topics/n?format=full&poll=1");
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "1");
    request = foreign_request(&server, 3);
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "2");
}
END_TEST

START_TEST(once_may_take_too_long)
{
    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n");
    foreign_hold(&server);
    command_expect(3, "a\n", "", NULL,
                   WORDS("sub", "n", "--once", "--timeout=200ms"));
    foreign_stream(&server);
    foreign_say(&server, ": end\n\n");
    foreign_hold(&server);
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--once", "--timeout=1h"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier sub, broken off");
    TCase *c = add_case(s, "lost");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, once_is_all_that_is_held);
    tcase_add_test(c, once_may_take_too_long);
    return s;
}

RUN_SUITE(suite)
