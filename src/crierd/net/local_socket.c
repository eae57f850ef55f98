/*
 * Listening unix sockets, whose files say who may connect.
 *
 * A client that connects before listen() is refused, whatever the file's mode; so owner and
 * mode are set between bind() and listen(), and no client connects before. bind() makes
 * the file with the mode that the umask leaves of 0777.
 *
 * The file stays when a program ends without removing it, and bind() fails where one is. It
 * is removed when it is a socket that refuses connections, as one does that nobody listens
 * on. Every other answer, also that its queue is full or that access is denied, means that
 * it may be in use.
 */
#include <config.h>

#include "local_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether connections to ADDRESS are refused, since nobody listens. Sets errno otherwise. */
static bool is_stale(const struct sockaddr_un *address)
{
    int fd = open_socket(), error;

    if (fd < 0)
        return false;
    error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0
                ? 0
                : errno;
    close(fd);
    errno = error == 0 || error == EAGAIN || error == EPROTOTYPE ? EADDRINUSE
                                                                 : error;
    return error == ECONNREFUSED;
}

/* Removes a stale socket at ADDRESS. Returns NULL, or why it cannot be replaced. */
static const char *clear_path(const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(status.st_mode))
        return "there is a file that is no socket";
    if (!is_stale(address) || unlink(address->sun_path) != 0)
        return strerror(errno);
    return NULL;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address,
                          mode_t mode)
{
    mode_t old = umask(~mode & 0777);
    int result =
        bind(fd, (const struct sockaddr *)address, sizeof *address);
    int error = errno;

    umask(old);
    errno = error;
    return result;
}

/* Gives the file at PATH to GROUP. Returns NULL, or why not. */
static const char *set_group(const char *path, const char *name)
{
    const struct group *group;

    if (name[0] == '\0')
        return NULL;
    errno = 0;
    group = getgrnam(name);
    if (group == NULL)
        return errno != 0 ? strerror(errno) : "there is no such group";
    if (lchown(path, (uid_t)-1, group->gr_gid) == 0)
        return NULL;
    return errno == EPERM ? "crierd is not a member of the group" : strerror(errno);
}

/* Notes which file is at PATH. */
static const char *note_file(const char *path, struct local_file *file)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return strerror(errno);
    *file = (struct local_file){.device = status.st_dev,
                                .inode = status.st_ino};
    snprintf(file->path, sizeof file->path, "%s", path);
    return NULL;
}

/* Makes the bound FD, whose file is at PATH, listen, with the right group. */
static const char *begin_to_listen(int fd, const char *path, const char *group)
{
    const char *wrong = set_group(path, group);

    if (wrong == NULL && listen(fd, SOMAXCONN) != 0)
        wrong = strerror(errno);
    return wrong;
}

int local_socket_open(const char *path, mode_t mode, const char *group,
                      struct local_file *file, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = open_socket();

    *file = (struct local_file){.path = ""};
    if (fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    *why = clear_path(&address);
    if (*why == NULL && bind_with_mode(fd, &address, mode) != 0)
        *why = strerror(errno);
    if (*why == NULL)
        *why = note_file(path, file);
    if (*why == NULL)
        *why = begin_to_listen(fd, path, group);
    if (*why == NULL)
        return fd;
    local_socket_remove(file);
    close(fd);
    return -1;
}

void local_socket_remove(const struct local_file *file)
{
    struct stat status;

    if (file->path[0] != '\0' && lstat(file->path, &status) == 0 &&
        S_ISSOCK(status.st_mode) && status.st_dev == file->device &&
        status.st_ino == file->inode)
        (void)unlink(file->path);
}
