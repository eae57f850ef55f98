/* How a client's address is written. */
#include <config.h>

#include "crierd/net/peer.h"
#include "support/runner.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

static struct peer peer;

/* Sets PEER to the address HOST of FAMILY, and PORT. */
static void set_internet(int family, const char *host, in_port_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    ck_assert_int_eq(inet_pton(family, host,
                               family == AF_INET ? (void *)&v4.sin_addr
                                                 : (void *)&v6.sin6_addr),
                     1);
    if (family == AF_INET)
        peer_set(&peer, (struct sockaddr *)&v4, sizeof v4);
    else
        peer_set(&peer, (struct sockaddr *)&v6, sizeof v6);
}

static const struct {
    int family;
    const char *host;
    in_port_t port;
    const char *text;
} addresses[] = {
    {AF_INET, "127.0.0.1", 8080, "127.0.0.1:8080"},
    {AF_INET, "0.0.0.0", 0, "0.0.0.0"},
    {AF_INET6, "2001:db8::9", 0, "2001:db8::9"},
    {AF_INET, "255.100.99.10", 65535, "255.100.99.10:65535"},
    {AF_INET6, "::1", 80, "[::1]:80"},
    {AF_INET6, "2001:db8::9", 1, "[2001:db8::9]:1"},
    {AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {AF_INET6, "::ffff:192.0.2.1", 443, "192.0.2.1:443"},
};

START_TEST(an_internet_address)
{
    char text[PEER_TEXT_SIZE];

    set_internet(addresses[_i].family, addresses[_i].host, addresses[_i].port);
    ck_assert_str_eq(peer_text(&peer.address.any, text), addresses[_i].text);
}
END_TEST

START_TEST(a_local_socket)
{
    const struct sockaddr unnamed = {.sa_family = AF_UNIX};
    struct sockaddr_un bound = {.sun_family = AF_UNIX};
    char text[PEER_TEXT_SIZE];

    peer_set(&peer, &unnamed, sizeof unnamed.sa_family);
    ck_assert_str_eq(peer_text(&peer.address.any, text), "unix");
    memset(bound.sun_path, 'x', sizeof bound.sun_path);
    peer_set(&peer, (struct sockaddr *)&bound, sizeof bound);
    ck_assert_str_eq(peer_text(&peer.address.any, text), "unix");
    ck_assert_uint_le(peer.length, sizeof peer.address);
}
END_TEST

START_TEST(nothing_known)
{
    const struct sockaddr odd = {.sa_family = AF_UNSPEC};
    char text[PEER_TEXT_SIZE];

    ck_assert_str_eq(peer_text(NULL, text), "?");
    ck_assert_str_eq(peer_text(&odd, text), "?");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer");
    TCase *c = add_case(s, "peer");

    tcase_add_loop_test(c, an_internet_address, 0,
                        (int)(sizeof addresses / sizeof addresses[0]));
    tcase_add_test(c, a_local_socket);
    tcase_add_test(c, nothing_known);
    return s;
}

RUN_SUITE(suite)
