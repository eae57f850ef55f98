/*
 * crierd's listeners with TLS: what they speak, the certificate and its reload, and what
 * is sent past libmicrohttpd. The certificates are made here.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/tls_client.h"

#include <fcntl.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define DAY (24 * 60 * 60)

/* Connections that crierd has no descriptors for, beside its own. */
#define IDLE 90

static const char *const versions[] = {ONLY_TLS12, ONLY_TLS13};

static struct crierd crierd;
static struct tls_client client;

/* ---- certificates ------------------------------------------------------- */

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[SCRATCH_SIZE + 16];
    FILE *to;

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(bytes, 1, size, to), size);
    ck_assert_int_eq(fclose(to), 0);
}

/* Writes a key, and a certificate of NAME that is valid for SECONDS, to the files "key"
 * and "cert". */
static void make_pair(const char *name, long seconds)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t text;

    gnutls_x509_privkey_init(&key);
    ck_assert_int_eq(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA,
                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, "\1", 1);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                  (unsigned)strlen(name));
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 2 * DAY);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + seconds);
    gnutls_x509_crt_set_key(cert, key);
    ck_assert_int_eq(
        gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text);
    write_file("key", text.data, text.size);
    gnutls_free(text.data);
    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text);
    write_file("cert", text.data, text.size);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

/* Fails unless the server of the client has shown a certificate of NAME. */
static void expect_certificate(const char *name)
{
    unsigned count;
    const gnutls_datum_t *list =
        gnutls_certificate_get_peers(client.session, &count);
    gnutls_x509_crt_t cert;
    char found[64];
    size_t size = sizeof found;

    ck_assert_ptr_nonnull(list);
    gnutls_x509_crt_init(&cert);
    ck_assert_int_eq(
        gnutls_x509_crt_import(cert, list, GNUTLS_X509_FMT_DER), 0);
    ck_assert_int_eq(gnutls_x509_crt_get_dn_by_oid(
                         cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, found, &size),
                     0);
    ck_assert_str_eq(found, name);
    gnutls_x509_crt_deinit(cert);
}

/* ---- crierd ------------------------------------------------------------- */

/* The port of the listener with TLS, as crierd has logged it. */
static int tls_port(void)
{
    static const char before[] = "https://127.0.0.1:";
    const char *at;
    int port = 0;

    crierd_wait_log(&crierd, before);
    pthread_mutex_lock(&crierd.lock);
    at = strstr(crierd.log, before);
    ck_assert_int_eq(sscanf(at + strlen(before), "%d", &port), 1);
    pthread_mutex_unlock(&crierd.lock);
    return port;
}

static void start(const char *options)
{
    char words[512];

    snprintf(words, sizeof words,
             "--tls-listen 127.0.0.1:0 --tls-cert %s/cert --tls-key %s/key %s",
             scratch, scratch, options);
    crierd_start(&crierd, words);
}

static void setup(void)
{
    scratch_make();
    make_pair("one", DAY);
}

/* Connects, sends a request with HEADERS and BODY, and returns the status and, at the end
 * of the connection, the body in TO. */
static int request(const char *method, const char *target, const char *headers,
                   const char *body, char *to, size_t size)
{
    char text[4096];
    size_t length = 0;
    int status = 0;
    long got;

    tls_connect(&client, tls_port(), "NORMAL", 0);
    snprintf(text, sizeof text,
             "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n%s\r\n%s",
             method, target, strlen(body), headers, body);
    tls_send(&client, text);
    while ((got = tls_read(&client, to + length, size - 1 - length)) > 0)
        length += (size_t)got;
    ck_assert_int_eq(got, 0); /* close_notify */
    to[length] = '\0';
    ck_assert_int_eq(sscanf(to, "HTTP/1.1 %d", &status), 1);
    tls_close(&client);
    return status;
}

/* Reads from the client until TEXT has come. */
static void read_until(const char *text)
{
    char got[8192];
    size_t length = 0;
    long part;

    do {
        ck_assert_uint_lt(length, sizeof got - 1);
        part = tls_read(&client, got + length, sizeof got - 1 - length);
        ck_assert_int_gt(part, 0);
        length += (size_t)part;
        got[length] = '\0';
    } while (strstr(got, text) == NULL);
}

/* ---- what it speaks ----------------------------------------------------- */

START_TEST(streams_and_publishes)
{
    struct tls_client reader;
    gnutls_datum_t protocol;
    char body[4096];

    start("");
    tls_connect(&client, tls_port(), versions[_i], 0);
    ck_assert_int_eq(gnutls_alpn_get_selected_protocol(client.session, &protocol),
                     0);
    ck_assert_uint_eq(protocol.size, 8);
    ck_assert_mem_eq(protocol.data, "http/1.1", 8);
    expect_certificate("one");
    ck_assert_int_eq(tls_get(&client, "/topics/a", NULL), 200);
    reader = client;
    ck_assert_int_eq(
        request("POST", "/topics/a", "", "over TLS", body, sizeof body), 200);
    client = reader;
    read_until("data: over TLS\n\n");
    crierd_stop(&crierd);
    read_until("retry: ");
    ck_assert_int_eq(tls_read(&client, body, 1), 0);
    tls_close(&client);
}
END_TEST

START_TEST(old_versions_are_refused)
{
    start("");
    ck_assert_int_lt(tls_try_connect(&client, tls_port(),
                                     "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0",
                                     0, NULL),
                     0);
    tls_close(&client);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(sessions_are_resumed)
{
    gnutls_datum_t data;

    start("");
    tls_connect(&client, tls_port(), versions[_i], 0);
    ck_assert_int_eq(tls_get(&client, "/healthz", NULL), 200);
    ck_assert_int_eq(gnutls_session_get_data2(client.session, &data), 0);
    tls_close(&client);
    ck_assert_int_eq(
        tls_try_connect(&client, tls_port(), versions[_i], 0, &data), 0);
    ck_assert_int_ne(gnutls_session_is_resumed(client.session), 0);
    ck_assert_int_eq(tls_get(&client, "/healthz", NULL), 200);
    tls_close(&client);
    gnutls_free(data.data);
    crierd_stop(&crierd);
}
END_TEST

/* A page of http://localhost is of another origin than https://localhost. */
START_TEST(pages_of_https_are_our_own)
{
    char body[4096];

    start("");
    ck_assert_int_eq(request("POST", "/topics/a", "Origin: https://localhost\r\n",
                             "x", body, sizeof body),
                     200);
    ck_assert_int_eq(request("POST", "/topics/a", "Origin: http://localhost\r\n",
                             "x", body, sizeof body),
                     403);
    crierd_stop(&crierd);
}
END_TEST

/* These responses are sent before the body has been read, past libmicrohttpd. */
START_TEST(refusals_come_over_tls)
{
    char body[4096];

    start("--max-update 10");
    ck_assert_int_eq(
        request("POST", "/topics/a", "", "01234567890", body, sizeof body), 413);
    ck_assert_ptr_nonnull(strstr(body, "larger than 10 bytes"));
    ck_assert_int_eq(request("POST", "/none", "", "0", body, sizeof body), 404);
    ck_assert_ptr_nonnull(strstr(body, "nothing at this path"));
    crierd_stop(&crierd);
}
END_TEST

START_TEST(what_is_no_handshake_ends)
{
    struct client plain;

    start("");
    client_connect(&plain, tls_port());
    client_send(&plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&plain), 400);
    client_close(&plain);
    client_connect(&plain, tls_port());
    plain.torn = true;
    client_send_bytes(&plain, "\x16\x03\x01\xff\xffgarbage.", 13);
    client_head(&plain); /* an alert, and the end */
    ck_assert(plain.eof);
    client_close(&plain);
    crierd_stop(&crierd);
}
END_TEST

/* Connections that do not go on with their handshake make room for others when
 * descriptors are short. */
START_TEST(handshakes_without_end_make_room)
{
    const struct rlimit few = {110, 110};
    struct client idle[IDLE];
    int i, port;

    for (i = 3; i < (int)few.rlim_cur; i++)
        (void)fcntl(i, F_SETFD, FD_CLOEXEC);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    start("--threads 1");
    port = tls_port();
    for (i = 0; i < IDLE; i++) {
        client_connect(&idle[i], port);
        client_send_bytes(&idle[i], "\x16\x03\x01", 3);
    }
    tls_connect(&client, port, "NORMAL", 0);
    ck_assert_int_eq(tls_get(&client, "/healthz", NULL), 200);
    tls_close(&client);
    for (i = 0; i < IDLE; i++)
        client_close(&idle[i]);
    crierd_stop(&crierd);
}
END_TEST

/* ---- the certificate ---------------------------------------------------- */

/* A new pair is for new connections, and a bad one for none. */
START_TEST(a_reload_changes_the_certificate)
{
    struct tls_client reader;
    char body[4096];

    start("");
    tls_connect(&client, tls_port(), versions[_i], 0);
    ck_assert_int_eq(tls_get(&client, "/topics/a", NULL), 200);
    reader = client;

    make_pair("two", DAY);
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration was reloaded");
    tls_connect(&client, tls_port(), versions[_i], 0);
    expect_certificate("two");
    tls_close(&client);

    write_file("key", "", 0);
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "key: it has no private key in PEM");
    crierd_wait_log(&crierd, "the configuration stays as it was");
    tls_connect(&client, tls_port(), versions[_i], 0);
    expect_certificate("two");
    tls_close(&client);

    ck_assert_int_eq(
        request("POST", "/topics/a", "", "to the old", body, sizeof body), 200);
    client = reader;
    read_until("data: to the old\n\n");
    tls_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* Fails unless `crierd --check-config OPTIONS` exits with STATUS and TEXT. */
static void check_options(const char *options, int status, const char *text)
{
    struct crierd checked;
    char words[512];

    snprintf(words, sizeof words, "--check-config %s", options);
    crierd_spawn(&checked, words);
    crierd_wait_log(&checked, text);
    ck_assert_int_eq(crierd_wait(&checked), status);
}

/* The same with two files of the scratch directory. */
static void check_files(const char *cert, const char *key, int status,
                        const char *text)
{
    char options[256];

    snprintf(options, sizeof options, "--tls-cert %s/%s --tls-key %s/%s", scratch,
             cert, scratch, key);
    check_options(options, status, text);
}

START_TEST(mistakes_are_named)
{
    char other[SCRATCH_SIZE + 16], path[SCRATCH_SIZE + 16];

    check_files("cert", "key", 0, "");
    check_options("--tls-listen 127.0.0.1:0", 2,
                  "--tls-listen needs --tls-cert and --tls-key");
    check_options("--tls-cert x", 2, "--tls-cert and --tls-key need each other");
    check_files("none", "key", 2, "none: No such file or directory");
    check_files("key", "key", 2, "key: it has no certificate in PEM");
    check_files("cert", "cert", 2, "cert: it has no private key in PEM");
    snprintf(path, sizeof path, "%s/cert", scratch);
    snprintf(other, sizeof other, "%s/other", scratch);
    ck_assert_int_eq(rename(path, other), 0);
    make_pair("two", DAY);
    check_files("other", "key", 2, "key: the key is not that of the certificate");
}
END_TEST

START_TEST(an_expired_certificate_is_a_warning)
{
    make_pair("old", -DAY);
    start("");
    ck_assert(crierd_logged(&crierd, "warning the certificate in "));
    ck_assert(crierd_logged(&crierd, "/cert has expired: "));
    tls_connect(&client, tls_port(), "NORMAL", 0);
    expect_certificate("old");
    tls_close(&client);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("https");
    TCase *c = add_case(s, "https");

    tcase_add_checked_fixture(c, setup, scratch_remove);
    tcase_add_loop_test(c, streams_and_publishes, 0, 2);
    tcase_add_test(c, old_versions_are_refused);
    tcase_add_loop_test(c, sessions_are_resumed, 0, 2);
    tcase_add_test(c, pages_of_https_are_our_own);
    tcase_add_test(c, refusals_come_over_tls);
    tcase_add_test(c, what_is_no_handshake_ends);
    tcase_add_test(c, handshakes_without_end_make_room);
    tcase_add_loop_test(c, a_reload_changes_the_certificate, 0, 2);
    tcase_add_test(c, mistakes_are_named);
    tcase_add_test(c, an_expired_certificate_is_a_warning);
    return s;
}

RUN_SUITE_IF(suite, MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES,
             "a libmicrohttpd without TLS")
