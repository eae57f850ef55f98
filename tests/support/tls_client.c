#include <config.h>

#include "tls_client.h"

#include "client.h"
#include "crier.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int open_socket(int port, int receive_buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, segment = 512;

    ck_assert_int_ge(fd, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (receive_buffer != 0) {
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                                    sizeof receive_buffer),
                         0);
        /* A window below a segment of the loopback is not opened again before the sender
         * probes, which it does less and less often: for seconds, on a busy machine. */
        ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment),
                         0);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ck_assert_int_eq(
        connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

int tls_try_connect(struct tls_client *client, int port, const char *priorities,
                    int receive_buffer, const gnutls_datum_t *resume)
{
    const gnutls_datum_t http = {.data = (unsigned char *)"http/1.1", .size = 8};
    int result;

    client->fd = open_socket(port, receive_buffer);
    ck_assert_int_eq(gnutls_init(&client->session,
                                 GNUTLS_CLIENT | GNUTLS_NO_SIGNAL),
                     0);
    ck_assert_int_eq(
        gnutls_priority_set_direct(client->session, priorities, NULL), 0);
    ck_assert_int_eq(
        gnutls_certificate_allocate_credentials(&client->credentials), 0);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE,
                           client->credentials);
    gnutls_server_name_set(client->session, GNUTLS_NAME_DNS, "localhost", 9);
    gnutls_alpn_set_protocols(client->session, &http, 1, 0);
    if (resume != NULL)
        gnutls_session_set_data(client->session, resume->data, resume->size);
    gnutls_transport_set_int(client->session, client->fd);
    do
        result = gnutls_handshake(client->session);
    while (result == GNUTLS_E_INTERRUPTED);
    return result;
}

void tls_connect(struct tls_client *client, int port, const char *priorities,
                 int receive_buffer)
{
    ck_assert_int_eq(
        tls_try_connect(client, port, priorities, receive_buffer, NULL), 0);
}

void tls_close(struct tls_client *client)
{
    gnutls_deinit(client->session);
    gnutls_certificate_free_credentials(client->credentials);
    close(client->fd);
}

void tls_send(struct tls_client *client, const char *text)
{
    size_t length = strlen(text);

    ck_assert_int_eq((long)gnutls_record_send(client->session, text, length),
                     (long)length);
}

long tls_read(struct tls_client *client, char *to, size_t size)
{
    uint64_t end = crier_now() + (uint64_t)PATIENCE;
    ssize_t got;

    do { /* GnuTLS also returns GNUTLS_E_AGAIN after a key update */
        ck_assert_uint_lt(crier_now(), end);
        got = gnutls_record_recv(client->session, to, size);
    } while (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN);
    return got;
}

int tls_get(struct tls_client *client, const char *target, char head[4096])
{
    char request[512], own[4096];
    size_t length = 0;
    int status = 0;

    if (head == NULL)
        head = own;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
             target);
    tls_send(client, request);
    do {
        ck_assert_uint_lt(length, sizeof own - 1);
        ck_assert_int_eq(tls_read(client, head + length, 1), 1);
        head[++length] = '\0';
    } while (length < 4 || strcmp(head + length - 4, "\r\n\r\n") != 0);
    ck_assert_int_eq(sscanf(head, "HTTP/1.1 %d", &status), 1);
    return status;
}
