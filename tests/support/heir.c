/*
 * crierd gets the sockets as systemd passes them: as descriptors from 3 on, with the
 * variables that sd_listen_fds(3) names. LISTEN_PID must be the process that becomes
 * crierd, so a script sets it and then executes crierd; it stands in $CRIERD_WRAPPER,
 * before what was there.
 */
#include <config.h>

#include "heir.h"

#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int heir_listen(in_addr_t address, int *port)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(address)};
    socklen_t length = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(listen(fd, SOMAXCONN), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &length), 0);
    *port = ntohs(any.sin_port);
    return fd;
}

void heir_hand_over(const int *sockets, int count, const char *names, const char *pid)
{
    char script[SCRATCH_SIZE + 16], wrapper[256];
    const char *old = getenv("CRIERD_WRAPPER");
    FILE *to;
    int i;

    snprintf(script, sizeof script, "%s/script", scratch);
    to = fopen(script, "w");
    ck_assert_ptr_nonnull(to);
    fputs("set -e\n", to);
    for (i = 0; i < count; i++) /* first away from where they are to be */
        fprintf(to, "exec %d<&%d\n", 30 + i, sockets[i]);
    for (i = 0; i < count; i++)
        fprintf(to, "exec %d<&%d %d<&-\n", 3 + i, 30 + i, 30 + i);
    fprintf(to,
            "LISTEN_PID=%s LISTEN_FDS=%d LISTEN_FDNAMES=%s exec \"$@\"\n",
            pid, count, names);
    ck_assert_int_eq(fclose(to), 0);
    for (i = 0; i < count; i++) /* inherited from here on */
        ck_assert_int_eq(fcntl(sockets[i], F_SETFD, 0), 0);
    snprintf(wrapper, sizeof wrapper, "bash %s %s", script,
             old != NULL && strstr(old, "/script") == NULL ? old : "");
    ck_assert_int_eq(setenv("CRIERD_WRAPPER", wrapper, 1), 0);
}

void heir_spawn(struct crierd *crierd, const char *options)
{
    char all[1024];

    snprintf(all, sizeof all, "--www %s --data %s %s", getenv("WWW"),
             getenv("DATA"), options);
    crierd_spawn(crierd, all);
}
