/*
 * The network of the cluster: who may be cut off from whom.
 *
 *      clients, publishers, sentinels      (this process's network)
 *        |      |      |         |
 *        |      |      |      bridge ------------ Redis, its replica
 *        |      |      |       | | |
 *       node   node   node ----+ | |              each in a namespace
 *        |      +----------------+ |
 *        +-------------------------+
 *
 * A node has two links, so that it can lose Redis and keep its clients. Nothing is
 * forwarded from one to the other.
 *
 * As root the namespaces are made directly; otherwise in a user namespace, where that is
 * allowed. In many containers neither is.
 */
#include <config.h>

#include "net.h"

#include "bench/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The bridge's own link address. Without one, it has the lowest of its links' addresses, which
 * changes as links are added: what nodes sent to the sentinels at the old one was lost. */
#define HUB_LINK_ADDRESS "02:00:00:00:00:01"

/* Runs ip(8) with the LINES of a batch. Returns whether that succeeded. */
static bool run_ip(const char *lines)
{
    const char *const words[] = {"ip", "-batch", "-", NULL};
    struct spawn spawn = {.words = words};
    size_t length = strlen(lines);
    int ends[2], status = -1;
    bool ok;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    ok = write(ends[1], lines, length) == (ssize_t)length; /* a pipe holds more */
    close(ends[1]);
    spawn.files[0] = ends[0];
    ok = ok && spawn_program(&spawn, &pid) == 0 && waitpid(pid, &status, 0) == pid;
    close(ends[0]);
    return ok && status == 0;
}

/* Writes TEXT to the file PATH. */
static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Makes this process root of a user namespace, and moves it to a network of that. */
static bool enter_as_user(void)
{
    char users[32], groups[32];

    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
           write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) &&
           write_text("/proc/self/gid_map", groups);
}

bool net_enter(char *reason)
{
    if (!run_ip("")) {
        snprintf(reason, 256, "there is no ip (Debian: iproute2)");
        return false;
    }
    if (unshare(CLONE_NEWNET) != 0 && !enter_as_user()) {
        snprintf(reason, 256, "network namespaces are not allowed (%s)", strerror(errno));
        return false;
    }
    if (run_ip("link set lo up\n"
               "link add hub address " HUB_LINK_ADDRESS " type bridge\n"
               "addr add " NET_OWN_ADDRESS "/24 dev hub\n"
               "link set hub up\n"))
        return true;
    snprintf(reason, 256, "ip cannot make a bridge");
    return false;
}

/* ---- places ------------------------------------------------------------- */

/* Returns a descriptor of the network that the calling thread is in, or -1. */
static int open_network(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Makes a namespace, and stores its descriptor in PLACE. */
static bool make_namespace(struct place *place)
{
    int own = open_network();
    bool ok = own >= 0 && unshare(CLONE_NEWNET) == 0;

    if (ok) {
        place->fd = open_network();
        ok = setns(own, CLONE_NEWNET) == 0 && place->fd >= 0;
    }
    if (own >= 0)
        close(own);
    return ok || fault("cannot make a network namespace: %s", strerror(errno));
}

/* Configures the ends of the links that are in PLACE. */
static bool configure_inside(const struct place *place)
{
    int own = open_network();
    char lines[512];
    bool ok;

    snprintf(lines, sizeof lines,
             "link set lo up\n"
             "addr add " NET_PLACE_ADDRESS "/24 dev b%u\n"
             "link set b%u up\n"
             "addr add " NET_CLIENT_ADDRESS "/24 dev d%u\n"
             "link set d%u up\n",
             place->number, place->number, place->number, place->number, place->number,
             place->number);
    ok = own >= 0 && setns(place->fd, CLONE_NEWNET) == 0 && run_ip(lines);
    ok = own >= 0 && setns(own, CLONE_NEWNET) == 0 && ok;
    if (own >= 0)
        close(own);
    return ok || fault("cannot enter a network namespace: %s", strerror(errno));
}

bool net_make_place(struct place *place, unsigned number)
{
    char lines[1024], path[64];

    *place = (struct place){.fd = -1, .number = number};
    if (!make_namespace(place))
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), place->fd);
    snprintf(lines, sizeof lines,
             "link add a%u type veth peer name b%u\n"
             "link set b%u netns %s\n"
             "link set a%u master hub\n"
             "link set a%u up\n"
             "link add c%u type veth peer name d%u\n"
             "link set d%u netns %s\n"
             "addr add 10.78.%u.1/24 dev c%u\n"
             "link set c%u up\n",
             number, number, number, path, number, number, number, number, number, path,
             number, number, number);
    if (!run_ip(lines))
        return fault("ip failed: %s", lines);
    return configure_inside(place);
}

void net_close_place(struct place *place)
{
    if (place->fd >= 0)
        close(place->fd);
    place->fd = -1;
}

bool net_set_link(const struct place *place, bool up)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    snprintf(request.ifr_name, sizeof request.ifr_name, "a%u", place->number);
    ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    if (up)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags &= (short)~IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return ok || fault("cannot set the link %s: %s", request.ifr_name, strerror(errno));
}

int net_spawn(const struct place *place, const struct spawn *spawn, pid_t *pid)
{
    int own, error;

    if (place->fd < 0)
        return spawn_program(spawn, pid);
    own = open_network();
    if (own < 0 || setns(place->fd, CLONE_NEWNET) != 0)
        error = -errno;
    else
        error = spawn_program(spawn, pid);
    if (own >= 0) {
        if (setns(own, CLONE_NEWNET) != 0)
            error = -errno;
        close(own);
    }
    return error;
}
