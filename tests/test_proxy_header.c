/* The header of the PROXY protocol: what is one, what is none, and what is not decided yet. */
#include <config.h>

#include "crierd/net/proxy_header.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\1" "\xcb\0\161\2" "\xdc\4" "\1\273"
#define V6 "\x20\1\r\270\0\0\0\0\0\0\0\0\0\0\0\1" \
           "\x20\1\r\270\0\0\0\0\0\0\0\0\0\0\0\2" "\xdc\4" "\1\273"
#define TLV "\4\0\3abc"

/* TEXT with NULs, and its length. */
#define BYTES(text) text, sizeof text - 1

static const struct {
    const char *bytes;
    size_t length;
    const char *peer; /* "": the connection's own */
} headers[] = {
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443\r\n"), "192.0.2.1:56324"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "255.255.255.255:65535"},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"),
     "[2001:db8::1]:56324"},
    {BYTES("PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2\r\n"), "[2001:db8::1]:1"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 5 6\r\n"), "192.0.2.1:5"},
    {BYTES("PROXY UNKNOWN\r\n"), ""},
    {BYTES("PROXY UNKNOWN \r\n"), ""},
    {BYTES("PROXY UNKNOWN whatever is \x80 there\r\n"), ""},
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     ""},
    {BYTES(SIGNATURE "\x21\x11\0\x0c" V4), "192.0.2.1:56324"},
    {BYTES(SIGNATURE "\x21\x11\0\x12" V4 TLV), "192.0.2.1:56324"},
    {BYTES(SIGNATURE "\x21\x21\0\x24" V6), "[2001:db8::1]:56324"},
    {BYTES(SIGNATURE "\x21\x21\0\x2a" V6 TLV), "[2001:db8::1]:56324"},
    {BYTES(SIGNATURE "\x20\0\0\0"), ""},                 /* LOCAL */
    {BYTES(SIGNATURE "\x20\x11\0\x0c" V4), ""},          /* which ignores all */
    {BYTES(SIGNATURE "\x20\xff\0\3abc"), ""},            /* also this */
    {BYTES(SIGNATURE "\x21\0\0\0"), ""},                 /* unspecified */
    {BYTES(SIGNATURE "\x21\0\0\6" TLV), ""},
    {BYTES(SIGNATURE "\x21\x10\0\x0c" V4), ""},          /* of any protocol */
    {BYTES(SIGNATURE "\x21\x12\0\x0c" V4), ""},          /* UDP */
    {BYTES(SIGNATURE "\x21\x22\0\x24" V6), ""},
};

static const struct {
    const char *bytes;
    size_t length;
} others[] = {
    {BYTES("GET / HTTP/1.1\r\n")},
    {BYTES("POST")},
    {BYTES("\x16\3\1")},
    {BYTES("proxy TCP4 192.0.2.1 203.0.113.2 56324 443\r\n")},
    {BYTES("PROXY\tTCP4")},
    {BYTES("PROXY \r\n")},
    {BYTES("PROXY TCP4\r\n")},
    {BYTES("PROXY  TCP4 192.0.2.1 203.0.113.2 56324 443\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1  203.0.113.2 56324 443\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443 \r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443 1\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443\r\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443\0\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 56324 65536\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 056324 443\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2 -1 443\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.2  443\r\n")},
    {BYTES("PROXY TCP4 192.0.2.256 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY TCP4 192.0.2.01 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY TCP4 192.0.2 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n")},
    {BYTES("PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n")},
    {BYTES("PROXY TCP6 192.0.2.1 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY TCP6 2001:db8::1::2 ::1 1 2\r\n")},
    {BYTES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n")},
    {BYTES("PROXY TCP5 192.0.2.1 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY UDP4 192.0.2.1 203.0.113.2 1 2\r\n")},
    {BYTES("PROXY UNKNOWNS\r\n")},
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n")},
    {BYTES("\r\n\r\nGET")},
    {BYTES(SIGNATURE "\x11\x11\0\x0c" V4)},     /* version 1 */
    {BYTES(SIGNATURE "\x22\x11\0\x0c" V4)},     /* no command */
    {BYTES(SIGNATURE "\x21\x11\0\x0b" V4)},     /* too short */
    {BYTES(SIGNATURE "\x21\x11\0\0")},
    {BYTES(SIGNATURE "\x21\x21\0\x23" V6)},
    {BYTES(SIGNATURE "\x21\x31\0\x24" V6)},     /* unix: 216 bytes */
    {BYTES(SIGNATURE "\x21\x41\0\x0c" V4)},     /* no family */
    {BYTES(SIGNATURE "\x21\x13\0\x0c" V4)},     /* no protocol */
    {BYTES(SIGNATURE "\x21\x11\x08\1" V4)},     /* 2049 bytes */
    {BYTES(SIGNATURE "\x20\0\xff\xff")},
};

/* Reads LENGTH bytes, which have nothing behind them that could be read by mistake. */
static enum proxy_result read_bytes(struct proxy_header *header, const char *bytes,
                                    size_t length)
{
    char *copy = malloc(length + (length == 0));
    enum proxy_result result;

    memcpy(copy, bytes, length);
    result = proxy_header_read(header, copy, length);
    free(copy);
    return result;
}

static void check_header(const struct proxy_header *header, size_t i)
{
    char text[PEER_TEXT_SIZE];

    ck_assert_uint_eq(header->length, headers[i].length);
    ck_assert_int_eq(header->has_peer, headers[i].peer[0] != '\0');
    if (header->has_peer)
        ck_assert_str_eq(peer_text(&header->peer.address.any, text),
                         headers[i].peer);
}

/* Each beginning wants more; and what follows the header does not matter. */
START_TEST(a_header)
{
    struct proxy_header header;
    char bytes[512];
    size_t length;

    for (length = 0; length < headers[_i].length; length++)
        ck_assert_int_eq(read_bytes(&header, headers[_i].bytes, length), PROXY_MORE);
    ck_assert_int_eq(read_bytes(&header, headers[_i].bytes, length), PROXY_DONE);
    check_header(&header, (size_t)_i);
    memcpy(bytes, headers[_i].bytes, length);
    memcpy(bytes + length, "GET / HTTP/1.1\r\n", 16);
    ck_assert_int_eq(read_bytes(&header, bytes, length + 16), PROXY_DONE);
    check_header(&header, (size_t)_i);
}
END_TEST

/* A beginning may want more, but once it is refused nothing behind it helps. */
START_TEST(none)
{
    struct proxy_header header;
    bool refused = false;
    enum proxy_result result;
    size_t length;

    for (length = 0; length <= others[_i].length; length++) {
        result = read_bytes(&header, others[_i].bytes, length);
        ck_assert_int_eq(result, refused ? PROXY_INVALID : result);
        ck_assert_int_ne(result, PROXY_DONE);
        refused = result == PROXY_INVALID;
    }
    ck_assert_msg(refused, "%s", others[_i].bytes);
}
END_TEST

START_TEST(the_longest)
{
    char bytes[PROXY_HEADER_MAX + 1] = SIGNATURE "\x21\x31\x08\0";
    struct proxy_header header;

    ck_assert_int_eq(read_bytes(&header, bytes, PROXY_HEADER_MAX - 1), PROXY_MORE);
    ck_assert_int_eq(read_bytes(&header, bytes, PROXY_HEADER_MAX), PROXY_DONE);
    ck_assert_uint_eq(header.length, PROXY_HEADER_MAX);
    ck_assert(!header.has_peer);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    ck_assert_int_eq(read_bytes(&header, bytes, 106), PROXY_MORE);
    ck_assert_int_eq(read_bytes(&header, bytes, 107), PROXY_INVALID);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("proxy_header");
    TCase *c = add_case(s, "proxy_header");

    tcase_add_loop_test(c, a_header, 0,
                        (int)(sizeof headers / sizeof headers[0]));
    tcase_add_loop_test(c, none, 0, (int)(sizeof others / sizeof others[0]));
    tcase_add_test(c, the_longest);
    return s;
}

RUN_SUITE(suite)
