/*
 * What the shard does on the GnuTLS session of a parked connection: records that the
 * kernel does not take whole, what a client may send meanwhile, and how a stream ends.
 * The client is written with GnuTLS.
 */
#include <config.h>

#include "libcrier/stream/stream.h"
#include "support/certificate.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"
#include "support/tls_client.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define MANY 200

/* What the kernel receives for a client that reads slowly, in bytes. */
#define SMALL 4096

static const char *const versions[] = {ONLY_TLS12, ONLY_TLS13};

static struct crier_stream *streams[MANY];
static int opened;
static struct signal_box closed;
static struct site site;
static uint64_t expires;
static struct tls_client client;

/* Only one connection at a time is being opened, by the test. */
static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {.on_closed = box_closed,
                                                 .closure = &closed,
                                                 .max_pending = 100000000,
                                                 .keep_alive = CRIER_NEVER,
                                                 .expires = expires};
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &streams[opened], &response),
                     0);
    return site_queue(connection, response);
}

static void setup(void)
{
    box_init(&closed);
    opened = 0;
    expires = 0;
    site = (struct site){
        .answer = answer, .key = key, .certificate = certificate};
    site_start(&site, NULL);
}

static void teardown(void)
{
    int i;

    for (i = 0; i < opened; i++)
        crier_stream_unref(streams[i]);
    site_stop(&site);
    box_done(&closed);
}

/* Opens a stream, and reads its first bytes. */
static void open_stream(struct tls_client *of, const char *priorities,
                        int receive_buffer)
{
    char first[2];

    tls_connect(of, site.port, priorities, receive_buffer);
    ck_assert_int_eq(tls_get(of, "/", NULL), 200);
    opened++;
    ck_assert_int_eq(tls_read(of, &first[0], 1), 1);
    ck_assert_int_eq(tls_read(of, &first[1], 1), 1);
    ck_assert_mem_eq(first, ":\n", 2);
}

/* Returns a new frame with LENGTH bytes of data. SEED says which. */
static struct crier_frame *make_data(size_t length, size_t seed)
{
    char *text = malloc(length + 1);
    struct crier_frame *frame;
    size_t i;

    ck_assert_ptr_nonnull(text);
    for (i = 0; i < length; i++)
        text[i] = (char)('!' + ((i + seed) * 31 + i / 251) % 90);
    text[length] = '\0';
    frame = frame_of(text);
    free(text);
    return frame;
}

/* Bytes that clients must receive. */
struct wanted {
    char *bytes;
    size_t length;
};

static void want_frame(struct wanted *wanted, const struct crier_frame *frame)
{
    size_t length;
    const char *bytes = crier_frame_bytes(frame, &length);

    wanted->bytes = realloc(wanted->bytes, wanted->length + length);
    ck_assert_ptr_nonnull(wanted->bytes);
    memcpy(wanted->bytes + wanted->length, bytes, length);
    wanted->length += length;
}

/* Sends frames of all sizes, more than LEAST bytes, to the stream of the client. */
static struct wanted send_much(size_t least)
{
    struct wanted wanted = {NULL, 0};
    struct crier_frame *frame;
    size_t i;

    for (i = 0; wanted.length < least; i++) {
        frame = make_data(i % 10 == 9 ? 40000 : 1 + i * 37 % 900, i);
        want_frame(&wanted, frame);
        ck_assert_int_eq(crier_stream_send(streams[0], frame), 0);
        crier_frame_unref(frame);
    }
    return wanted;
}

/* Reads all of WANTED, in pieces, and frees it. */
static void expect_bytes(struct wanted wanted)
{
    uint64_t start = crier_now();
    char piece[5000];
    size_t at = 0;
    long got;

    while (at < wanted.length) {
        got = tls_read(&client, piece, 1 + at % sizeof piece);
        ck_assert_msg(got > 0, "%ld after %zu of %zu bytes and %llu ms", got, at,
                      wanted.length, (unsigned long long)(crier_now() - start));
        ck_assert_uint_le(at + (size_t)got, wanted.length);
        ck_assert_mem_eq(piece, wanted.bytes + at, (size_t)got);
        at += (size_t)got;
    }
    free(wanted.bytes);
}

static void expect_close_notify(void)
{
    char byte;

    ck_assert_int_eq(tls_read(&client, &byte, 1), 0);
}

/* Waits until FLAG of the first stream's transport is set. */
static void wait_for_flag(const bool *flag)
{
    struct crier__transport *transport = &streams[0]->transport;
    uint64_t end = crier_now() + (uint64_t)PATIENCE;
    bool set;

    do {
        pthread_mutex_lock(&transport->lock);
        set = *flag;
        pthread_mutex_unlock(&transport->lock);
        ck_assert_uint_lt(crier_now(), end);
        poll(NULL, 0, 1);
    } while (!set);
}

/* One byte of the next frame proves that the stream lives. */
static void expect_alive(void)
{
    struct crier_frame *frame = frame_of("alive");
    struct wanted wanted = {NULL, 0};

    want_frame(&wanted, frame);
    ck_assert_int_eq(crier_stream_send(streams[0], frame), 0);
    crier_frame_unref(frame);
    expect_bytes(wanted);
}

START_TEST(a_slow_client_gets_every_byte)
{
    struct wanted wanted;

    open_stream(&client, versions[_i], SMALL);
    wanted = send_much(2000000);
    wait_for_flag(&streams[0]->transport.kept);
    expect_bytes(wanted);
    expect_alive();
    tls_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
}
END_TEST

/* close_notify follows the last byte also where the kernel has no room at first. */
START_TEST(a_slow_client_gets_the_end)
{
    struct wanted wanted;

    open_stream(&client, versions[_i], SMALL);
    wanted = send_much(300000);
    crier_stream_close(streams[0]);
    wait_for_flag(&streams[0]->transport.ending);
    expect_bytes(wanted);
    expect_close_notify();
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    tls_close(&client);
}
END_TEST

START_TEST(new_keys_are_answered)
{
    int i;

    open_stream(&client, ONLY_TLS13, 0);
    for (i = 0; i < 6; i++) {
        ck_assert_int_eq(
            gnutls_session_key_update(client.session,
                                      i % 2 == 0 ? GNUTLS_KU_PEER : 0),
            0);
        expect_alive();
    }
    tls_close(&client);
}
END_TEST

/* GnuTLS keeps a record; were the request read now, the repeated send would send its
 * bytes twice. */
START_TEST(new_keys_wait_for_a_kept_record)
{
    struct wanted wanted;

    open_stream(&client, ONLY_TLS13, SMALL);
    wanted = send_much(1000000);
    wait_for_flag(&streams[0]->transport.kept);
    ck_assert_int_eq(gnutls_session_key_update(client.session, GNUTLS_KU_PEER),
                     0);
    wait_for_flag(&streams[0]->transport.unheard);
    expect_bytes(wanted);
    expect_alive();
    expect_alive();
    tls_close(&client);
}
END_TEST

/* Key updates without end are refused. */
START_TEST(too_many_new_keys_end_the_stream)
{
    int i;

    open_stream(&client, ONLY_TLS13, 0);
    for (i = 0; i < 20; i++)
        if (gnutls_session_key_update(client.session, 0) != 0)
            break;
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_TRANSPORT);
    tls_close(&client);
}
END_TEST

/* The socket stays open, so only close_notify says that the client has left. In the
 * second round it is behind other records in one segment. */
START_TEST(close_notify_means_that_the_client_has_left)
{
    int more = _i / 2;

    open_stream(&client, versions[_i % 2], 0);
    if (more) {
        gnutls_record_cork(client.session);
        tls_send(&client, "surplus");
        ck_assert_int_gt(gnutls_record_uncork(client.session,
                                              GNUTLS_RECORD_WAIT),
                         0);
        if (_i % 2 == 1)
            gnutls_session_key_update(client.session, GNUTLS_KU_PEER);
    }
    ck_assert_int_eq(gnutls_bye(client.session, GNUTLS_SHUT_WR), 0);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    expect_close_notify();
    tls_close(&client);
}
END_TEST

/* What comes before the connection is parked is read when it is. */
START_TEST(close_notify_may_come_with_the_request)
{
    tls_connect(&client, site.port, versions[_i], 0);
    tls_send(&client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gnutls_bye(client.session, GNUTLS_SHUT_WR);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    opened++;
    tls_close(&client);
}
END_TEST

START_TEST(garbage_ends_the_stream)
{
    static const char *const garbage[] = {
        "GET / HTTP/1.1\r\n\r\n",           /* not a record */
        "\x17\x03\x03\x00\x18"              /* a record that does not decrypt */
        "abcdefghijklmnopqrstuvwx",
        "\x16\x03\x03\x00\x18"              /* a handshake that does not */
        "abcdefghijklmnopqrstuvwx",
        "\x17\x03\x03\xff\xff" "abcdefgh",  /* far too long */
    };
    static const size_t lengths[] = {18, 29, 29, 13};

    open_stream(&client, versions[_i / 4], 0);
    ck_assert_int_eq((int)send(client.fd, garbage[_i % 4], lengths[_i % 4],
                               MSG_NOSIGNAL),
                     (int)lengths[_i % 4]);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_TRANSPORT);
    tls_close(&client);
}
END_TEST

START_TEST(a_client_may_not_renegotiate)
{
    char byte;

    open_stream(&client, ONLY_TLS12, 0);
    ck_assert_int_ne(gnutls_handshake(client.session), 0);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_TRANSPORT);
    ck_assert_int_le(gnutls_record_recv(client.session, &byte, 1), 0);
    tls_close(&client);
}
END_TEST

/* It is read up to a limit, and then not; the stream goes on, and ends with the
 * connection. */
START_TEST(surplus_bytes_do_no_harm)
{
    int i;

    open_stream(&client, versions[_i], 0);
    for (i = 0; i < 1000; i++)
        tls_send(&client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_alive();
    gnutls_bye(client.session, GNUTLS_SHUT_WR);
    expect_alive();
    ck_assert_int_eq(streams[0]->transport.heard, 256);
    tls_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
}
END_TEST

START_TEST(drain_ends_with_close_notify)
{
    char line[64];

    open_stream(&client, versions[_i], 0);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 5, 9, PATIENCE), 0);
    ck_assert_int_gt(tls_read(&client, line, sizeof line), 0);
    ck_assert_mem_eq(line, "retry: ", 7);
    expect_close_notify();
    tls_close(&client);
}
END_TEST

START_TEST(a_stream_that_expires_ends_with_close_notify)
{
    expires = crier_now() + 200;
    open_stream(&client, versions[_i], 0);
    expect_close_notify();
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_EXPIRED);
    tls_close(&client);
}
END_TEST

/* A client that is cut off while it lacks something sees no close_notify. */
START_TEST(a_cut_has_no_close_notify)
{
    char piece[4096];
    long got;

    open_stream(&client, versions[_i], SMALL);
    free(send_much(2000000).bytes);
    wait_for_flag(&streams[0]->transport.kept);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 50), 1);
    do
        got = tls_read(&client, piece, sizeof piece);
    while (got > 0);
    ck_assert_int_lt(got, 0);
    tls_close(&client);
}
END_TEST

/* A client of many, and what it has read. */
struct reader {
    struct tls_client client;
    size_t at;
};

/* Reads what the client has, up to a piece. Returns how much that was. */
static size_t read_piece(struct reader *reader, const struct wanted *wanted)
{
    struct pollfd input = {.fd = reader->client.fd, .events = POLLIN};
    char piece[16384];
    long got;

    if (gnutls_record_check_pending(reader->client.session) == 0 &&
        poll(&input, 1, 0) != 1)
        return 0;
    got = tls_read(&reader->client, piece, 1 + (size_t)rand() % sizeof piece);
    ck_assert_int_gt(got, 0);
    ck_assert_mem_eq(piece, wanted->bytes + reader->at, (size_t)got);
    reader->at += (size_t)got;
    return (size_t)got;
}

/* Sends a burst of frames to all, of random sizes. */
static void send_burst(struct crier_broadcaster *broadcaster,
                       struct wanted *wanted)
{
    struct crier_frame *frame;
    int i, count = rand() % 8;

    for (i = 0; i < count; i++) {
        frame = make_data(1 + (size_t)rand() % (i == 7 ? 20000 : 700),
                          (size_t)rand() % 90);
        want_frame(wanted, frame);
        ck_assert_int_ge(crier_broadcaster_send(broadcaster, frame), 0);
        crier_frame_unref(frame);
    }
}

/* Two hundred clients, each of which reads when it happens to. */
START_TEST(many_clients_get_every_byte)
{
    const struct crier_broadcaster_options options = {.ping = CRIER_NEVER};
    static struct reader readers[MANY];
    struct crier_broadcaster *broadcaster;
    struct wanted wanted = {NULL, 0};
    size_t left;
    int i, round;

    srand(1);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, &options, &broadcaster),
                     0);
    for (i = 0; i < MANY; i++) {
        readers[i].at = 0;
        open_stream(&readers[i].client, versions[i % 2], i % 4 * 2 * SMALL);
        ck_assert_int_eq(
            crier_broadcaster_join(broadcaster, streams[i], NULL, NULL), 0);
    }
    for (round = 0; round < 50; round++) {
        send_burst(broadcaster, &wanted);
        for (i = 0; i < 40; i++)
            read_piece(&readers[rand() % MANY], &wanted);
    }
    do {
        for (left = 0, i = 0; i < MANY; i++) {
            read_piece(&readers[i], &wanted);
            left += wanted.length - readers[i].at;
        }
    } while (left != 0);
    for (i = 0; i < MANY; i++)
        tls_close(&readers[i].client);
    box_wait(&closed, MANY);
    crier_broadcaster_free(broadcaster);
    free(wanted.bytes);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tls_shard");
    TCase *c = add_case(s, "tls_shard");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_slow_client_gets_every_byte, 0, 2);
    tcase_add_loop_test(c, a_slow_client_gets_the_end, 0, 2);
    tcase_add_test(c, new_keys_are_answered);
    tcase_add_test(c, new_keys_wait_for_a_kept_record);
    tcase_add_test(c, too_many_new_keys_end_the_stream);
    tcase_add_loop_test(c, close_notify_means_that_the_client_has_left, 0, 4);
    tcase_add_loop_test(c, close_notify_may_come_with_the_request, 0, 2);
    tcase_add_loop_test(c, garbage_ends_the_stream, 0, 8);
    tcase_add_test(c, a_client_may_not_renegotiate);
    tcase_add_loop_test(c, surplus_bytes_do_no_harm, 0, 2);
    tcase_add_loop_test(c, drain_ends_with_close_notify, 0, 2);
    tcase_add_loop_test(c, a_stream_that_expires_ends_with_close_notify, 0, 2);
    tcase_add_loop_test(c, a_cut_has_no_close_notify, 0, 2);
    tcase_add_test(c, many_clients_get_every_byte);
    return s;
}

RUN_SUITE_IF(suite, MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES,
             "a libmicrohttpd without TLS")
