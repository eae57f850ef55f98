/* Networks of the configuration, and what proxies report of a request: whose address
 * counts, above all where the fields are hostile. */
#include <config.h>

#include "crierd/config/cidr.h"
#include "crierd/http/forwarded.h"
#include "support/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])

/* Sets PEER to the address TEXT; "unix" is that of a Unix socket. */
static void set_peer(struct peer *peer, const char *text)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    const struct sockaddr local = {.sa_family = AF_UNIX};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        peer_set(peer, (struct sockaddr *)&v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        peer_set(peer, (struct sockaddr *)&v6, sizeof v6);
    else
        peer_set(peer, &local, sizeof(sa_family_t));
}

/* ---- networks --------------------------------------------------------- */

static const struct {
    const char *text, *written; /* NULL: not taken */
} networks[] = {
    {"10.0.0.0/8", "10.0.0.0/8"},
    {"192.0.2.7", "192.0.2.7"},
    {"192.0.2.7/32", "192.0.2.7"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"2001:DB8::/32", "2001:db8::/32"},
    {"::1", "::1"},
    {"::/0", "::/0"},
    {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
    {"unix", "unix"},
    {"10.0.0.1/8", NULL},
    {"2001:db8::1/32", NULL},
    {"10.0.0.0/33", NULL},
    {"2001:db8::/129", NULL},
    {"10.0.0.0/", NULL},
    {"10.0.0.0/-1", NULL},
    {"10.0.0.0/8/8", NULL},
    {"10.0.0", NULL},
    {"010.0.0.1", NULL},
    {"[::1]", NULL},
    {"fe80::1%lo", NULL},
    {"localhost", NULL},
    {"Unix", NULL},
    {"*", NULL},
    {"", NULL},
    {"/8", NULL},
    {"1111111111111111111111111111111111111111111111111111111111111111/8", NULL},
};

START_TEST(a_network)
{
    char text[CIDR_TEXT_SIZE];
    struct cidr cidr;

    ck_assert_int_eq(cidr_read(&cidr, networks[_i].text),
                     networks[_i].written != NULL);
    if (networks[_i].written == NULL)
        return;
    cidr_write(&cidr, text);
    ck_assert_str_eq(text, networks[_i].written);
}
END_TEST

static const struct {
    const char *network, *address;
    bool has;
} members[] = {
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "203.0.113.1", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"0.0.0.0/0", "unix", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "203.0.113.1", false},
    {"::/0", "::ffff:203.0.113.1", false},
    {"2001:db8::/33", "2001:db8:7fff::", true},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"unix", "unix", true},
    {"unix", "127.0.0.1", false},
};

START_TEST(a_member)
{
    struct cidr_list list = {NULL, 0};
    struct peer peer;

    set_peer(&peer, members[_i].address);
    ck_assert(!cidr_has(&list, &peer.address.any));
    ck_assert_int_eq(cidr_add(&list, members[_i].network), 0);
    ck_assert_int_eq(cidr_has(&list, &peer.address.any), members[_i].has);
    ck_assert(!cidr_has(&list, NULL));
    cidr_clear(&list);
}
END_TEST

START_TEST(a_list_is_bounded)
{
    struct cidr_list list = {NULL, 0};
    int i;

    ck_assert_int_eq(cidr_add(&list, "x"), -EINVAL);
    for (i = 0; i < CIDR_MAX; i++)
        ck_assert_int_eq(cidr_add(&list, "10.0.0.0/8"), 0);
    ck_assert_int_eq(cidr_add(&list, "10.0.0.0/8"), -E2BIG);
    cidr_clear(&list);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

/* ---- what proxies report ---------------------------------------------- */

/* Adds the lines of TEXT, one behind the other, to LINES. */
static void add_lines(struct forwarded_lines *lines, char *text)
{
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        if (lines->count == FORWARDED_LINES)
            lines->more = true;
        else
            lines->text[lines->count++] = line;
    }
}

static struct forwarded found;

/* Reads the fields; NULL where there is none, a line each. 10.0.0.0/8 and 2001:db8:7::/48
 * are trusted, and the request comes from 10.0.0.1. */
static void read_fields(const char *addresses, const char *schemes, const char *hosts,
                        const char *forwarded)
{
    struct cidr_list trusted = {NULL, 0};
    struct forwarded_fields fields = {0};
    const char *texts[] = {addresses, schemes, hosts, forwarded};
    struct forwarded_lines *lines[] = {&fields.addresses, &fields.schemes, &fields.hosts,
                                       &fields.forwarded};
    char *copies[4] = {NULL};
    struct peer proxy;
    int i;

    ck_assert_int_eq(cidr_add(&trusted, "10.0.0.0/8"), 0);
    ck_assert_int_eq(cidr_add(&trusted, "2001:db8:7::/48"), 0);
    set_peer(&proxy, "10.0.0.1");
    for (i = 0; i < 4; i++)
        if (texts[i] != NULL) {
            copies[i] = strdup(texts[i]);
            add_lines(lines[i], copies[i]);
        }
    forwarded_read(&found, &trusted, &proxy, &fields);
    for (i = 0; i < 4; i++)
        free(copies[i]);
    cidr_clear(&trusted);
}

/* The client that was found must be CLIENT, as peer_text() writes it; one that begins with
 * '~' must be vague. */
static void expect_client(const char *client)
{
    char text[PEER_TEXT_SIZE];

    ck_assert_int_eq(found.vague, client[0] == '~');
    ck_assert_str_eq(peer_text(&found.client.address.any, text),
                     client + (client[0] == '~'));
}

#define NOBODY "~10.0.0.1"

static const struct {
    const char *fields, *client;
} addresses[] = {
    {"203.0.113.5", "203.0.113.5"},
    {"203.0.113.5:81", "203.0.113.5:81"},
    {"2001:db8::5", "2001:db8::5"},
    {"[2001:db8::5]", "2001:db8::5"},
    {"[2001:db8::5]:81", "[2001:db8::5]:81"},
    {" \t203.0.113.5 \t", "203.0.113.5"},
    {"::ffff:203.0.113.5", "203.0.113.5"},
    /* What the client has sent counts no more than it should. */
    {"6.6.6.6, 203.0.113.5", "203.0.113.5"},
    {"6.6.6.6\n203.0.113.5", "203.0.113.5"},
    {"127.0.0.1, 10.9.9.9, 203.0.113.5", "203.0.113.5"},
    {"6.6.6.6, 203.0.113.5, 10.0.0.2", "203.0.113.5"},
    {"6.6.6.6, 203.0.113.5\n10.0.0.2, 2001:db8:7::1", "203.0.113.5"},
    {"garbage, 203.0.113.5", "203.0.113.5"},
    {"\", 203.0.113.5", "203.0.113.5"},
    {"203.0.113.5,,", "203.0.113.5"},
    {"203.0.113.5\n\n", "203.0.113.5"},
    /* A proxy that asks for itself. */
    {"10.0.0.2", "10.0.0.2"},
    {"10.0.0.3, 10.0.0.2", "10.0.0.3"},
    {"", "10.0.0.1"},
    {" , ,", "10.0.0.1"},
    /* The nearest trustworthy one, and none before it. */
    {"6.6.6.6, unknown", NOBODY},
    {"6.6.6.6, unknown, 10.0.0.2", "~10.0.0.2"},
    {"6.6.6.6, garbage", NOBODY},
    {"6.6.6.6, 203.0.113.5.", NOBODY},
    {"6.6.6.6, 203.0.113.5:", NOBODY},
    {"6.6.6.6, 203.0.113.5:65536", NOBODY},
    {"6.6.6.6, 203.0.113.5 81", NOBODY},
    {"6.6.6.6, [203.0.113.5]", NOBODY},
    {"6.6.6.6, [2001:db8::5", NOBODY},
    {"6.6.6.6, [2001:db8::5]x", NOBODY},
    {"6.6.6.6, 2001:db8::5]", NOBODY},
    {"6.6.6.6, fe80::1%eth0", NOBODY},
    {"6.6.6.6, 0x7f.1", NOBODY},
    {"6.6.6.6, 2130706433", NOBODY},
    {"6.6.6.6, _hidden", NOBODY},
    {"6.6.6.6, \"203.0.113.5\"", NOBODY},
    {"6.6.6.6, 203.0.113.5\x01", NOBODY},
    {"6.6.6.6, 1111111111111111111111111111111111111111111111111111111111111111111", NOBODY},
    {"6.6.6.6, 10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,"
     "10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.1,10.1.1.2",
     "~10.1.1.1"},
    {"6.6.6.6\n\n\n\n\n\n\n\n203.0.113.5", NOBODY},
};

START_TEST(x_forwarded_for)
{
    read_fields(addresses[_i].fields, NULL, NULL, NULL);
    expect_client(addresses[_i].client);
    ck_assert_int_eq(found.scheme, FORWARDED_NO_SCHEME);
    ck_assert_str_eq(found.host, "");
}
END_TEST

static const struct {
    const char *fields, *client;
    enum forwarded_scheme scheme;
    const char *host;
} elements[] = {
    {"for=203.0.113.5", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"For=\"203.0.113.5:81\";Proto=HTTPS;HOST=a.example", "203.0.113.5:81",
     FORWARDED_HTTPS, "a.example"},
    {"host=\"a.example:8443\" ; proto=http ; by=_x ; for=\"[2001:db8::5]:81\"",
     "[2001:db8::5]:81", FORWARDED_HTTP, "a.example:8443"},
    {"for=\"[2001:db8::5]:_secret\"", "2001:db8::5", FORWARDED_NO_SCHEME, ""},
    {"for=\"203.0.\\113.5\"", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    /* The client's own inventions. */
    {"for=6.6.6.6;proto=http;host=evil, for=203.0.113.5;proto=https;host=a",
     "203.0.113.5", FORWARDED_HTTPS, "a"},
    {"for=6.6.6.6;proto=https;host=evil\nfor=203.0.113.5", "203.0.113.5",
     FORWARDED_NO_SCHEME, ""},
    {"for=6.6.6.6, for=203.0.113.5;proto=https, for=10.0.0.2;proto=http", "203.0.113.5",
     FORWARDED_HTTPS, ""},
    {"for=\"\nfor=203.0.113.5", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"for=6.6.6.6, for=10.0.0.3\nfor=10.0.0.2", "6.6.6.6", FORWARDED_NO_SCHEME, ""},
    {",, for=203.0.113.5 ,,", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"", "10.0.0.1", FORWARDED_NO_SCHEME, ""},
    /* Of these, nobody knows who the client is. */
    {"for=6.6.6.6, proto=https;host=a", NOBODY, FORWARDED_HTTPS, "a"},
    {"for=6.6.6.6, for=unknown;proto=https", NOBODY, FORWARDED_HTTPS, ""},
    {"for=6.6.6.6, for=_hidden", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=6.6.6.6, for=_hidden, for=10.0.0.2", "~10.0.0.2", FORWARDED_NO_SCHEME, ""},
    {"for=6.6.6.6, for=\"\"", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=\"x, for=\"203.0.113.5\"", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=\"x, for=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=\"x\\, for=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=\"6.6.6.6\\", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=6.6.6.6; for=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for =203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=203.0.113.5;", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=[2001:db8::5]", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"for=203.0.113.5 x", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"garbage, for=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    /* Facts that are none. */
    {"for=203.0.113.5;proto=gopher;host=\"a b\"", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"for=203.0.113.5;host=\"a,b\"", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"for=203.0.113.5;host=\"evil@a\"", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
    {"for=203.0.113.5;proto=httpsssssssssss", "203.0.113.5", FORWARDED_NO_SCHEME, ""},
};

START_TEST(forwarded)
{
    read_fields(NULL, NULL, NULL, elements[_i].fields);
    expect_client(elements[_i].client);
    ck_assert_int_eq(found.scheme, elements[_i].scheme);
    ck_assert_str_eq(found.host, elements[_i].host);
}
END_TEST

/* Writes BEGIN, COUNT elements of trusted proxies and END to TEXT. */
static void write_chain(char *text, size_t size, const char *begin, int count,
                        const char *end)
{
    size_t length = (size_t)snprintf(text, size, "%s", begin);

    while (count-- > 0)
        length += (size_t)snprintf(text + length, size - length, ",for=10.1.1.1");
    snprintf(text + length, size - length, "%s", end);
}

/* Of more elements than there may be proxies, the last ones are read. */
START_TEST(a_long_chain)
{
    char text[8000];

    write_chain(text, sizeof text, "for=6.6.6.6", FORWARDED_HOPS - 1, "");
    read_fields(NULL, NULL, NULL, text);
    expect_client("6.6.6.6");
    write_chain(text, sizeof text, "for=6.6.6.6", FORWARDED_HOPS, "");
    read_fields(NULL, NULL, NULL, text);
    expect_client("~10.1.1.1");
    write_chain(text, sizeof text, "for=6.6.6.6", FORWARDED_HOPS + 300,
                ",for=203.0.113.5");
    read_fields(NULL, NULL, NULL, text);
    expect_client("203.0.113.5");
}
END_TEST

/* A host that has no room does not count. */
START_TEST(a_long_host)
{
    char text[FORWARDED_HOST_SIZE + 1];

    memset(text, 'a', sizeof text);
    text[FORWARDED_HOST_SIZE] = '\0';
    read_fields(NULL, NULL, text, NULL);
    ck_assert_str_eq(found.host, "");
    text[FORWARDED_HOST_SIZE - 1] = '\0';
    read_fields(NULL, NULL, text, NULL);
    ck_assert_str_eq(found.host, text);
}
END_TEST

static const struct {
    const char *addresses, *schemes, *hosts, *forwarded, *client;
    enum forwarded_scheme scheme;
    const char *host;
} kinds[] = {
    /* The last value is the nearest proxy's. */
    {"203.0.113.5", "https", "a.example", NULL, "203.0.113.5", FORWARDED_HTTPS,
     "a.example"},
    {"203.0.113.5", "http, https", "evil, a.example", NULL, "203.0.113.5",
     FORWARDED_HTTPS, "a.example"},
    {"203.0.113.5", "https\nhttp", "evil\na.example", NULL, "203.0.113.5",
     FORWARDED_HTTP, "a.example"},
    {NULL, "https", NULL, NULL, "10.0.0.1", FORWARDED_HTTPS, ""},
    {NULL, "nonsense", "a/b", NULL, "10.0.0.1", FORWARDED_NO_SCHEME, ""},
    /* Both kinds: only what they do not contradict each other in. */
    {"203.0.113.5", "https", "a", "for=203.0.113.5;proto=https;host=A", "203.0.113.5",
     FORWARDED_HTTPS, "a"},
    {"203.0.113.5", "https", "a", "for=\"203.0.113.5:81\"", "203.0.113.5",
     FORWARDED_HTTPS, "a"},
    {"203.0.113.5", "https", "a", "for=203.0.113.5;proto=http;host=evil", "203.0.113.5",
     FORWARDED_NO_SCHEME, ""},
    {"203.0.113.5", "https", "a", "for=6.6.6.6;proto=https;host=a", NOBODY,
     FORWARDED_NO_SCHEME, ""},
    {"6.6.6.6", NULL, NULL, "for=203.0.113.5;proto=https", NOBODY, FORWARDED_NO_SCHEME,
     ""},
    {"203.0.113.5", "https", NULL, "garbage", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"unknown", "https", NULL, "for=203.0.113.5", NOBODY, FORWARDED_NO_SCHEME, ""},
    {"unknown", "https", NULL, "for=unknown", NOBODY, FORWARDED_NO_SCHEME, ""},
    {NULL, "https", NULL, "for=203.0.113.5;proto=http", "203.0.113.5",
     FORWARDED_NO_SCHEME, ""},
};

START_TEST(all_fields)
{
    read_fields(kinds[_i].addresses, kinds[_i].schemes, kinds[_i].hosts,
                kinds[_i].forwarded);
    expect_client(kinds[_i].client);
    ck_assert_int_eq(found.scheme, kinds[_i].scheme);
    ck_assert_str_eq(found.host, kinds[_i].host);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("forwarded");
    TCase *t = add_case(s, "networks");

    tcase_add_loop_test(t, a_network, 0, COUNT(networks));
    tcase_add_loop_test(t, a_member, 0, COUNT(members));
    tcase_add_test(t, a_list_is_bounded);
    t = add_case(s, "reports");
    tcase_add_loop_test(t, x_forwarded_for, 0, COUNT(addresses));
    tcase_add_loop_test(t, forwarded, 0, COUNT(elements));
    tcase_add_test(t, a_long_chain);
    tcase_add_test(t, a_long_host);
    tcase_add_loop_test(t, all_fields, 0, COUNT(kinds));
    return s;
}

RUN_SUITE(make_suite)
