/*
 * Connections that are refused before any request of theirs is parsed.
 */
#include <config.h>

#include "refuse.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* No more than so many times the buffer is read. */
#define ROUNDS 8

void refuse_connection(int fd, const char *status, const char *text,
                       char *buffer, size_t size)
{
    char response[256];
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 %s\r\n"
                          "%s"
                          "Content-Length: %zu\r\n"
                          "Connection: close\r\n\r\n%s",
                          status,
                          text[0] != '\0' ? "Content-Type: text/plain\r\n" : "",
                          strlen(text), text);
    ssize_t got = recv(fd, buffer, size, MSG_DONTWAIT);
    int rounds = 0;

    if (got > 0)
        (void)send(fd, response, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (got == (ssize_t)size && rounds++ < ROUNDS)
        got = recv(fd, buffer, size, MSG_DONTWAIT);
    close(fd);
}
