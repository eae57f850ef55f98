#ifndef CRIERD_LOCAL_SOCKET_H
#define CRIERD_LOCAL_SOCKET_H

#include <sys/types.h>

#define LOCAL_PATH_SIZE 108

/* The file of a listening unix socket. */
struct local_file {
    char path[LOCAL_PATH_SIZE]; /* "": there is none */
    dev_t device;
    ino_t inode;
};

/* Opens a unix socket that listens at PATH, which is shorter than LOCAL_PATH_SIZE, with MODE
 * and the group GROUP ("": crierd's own). Nobody can connect before both are set. A socket
 * that is there already is removed when nobody listens on it. Returns its descriptor, and
 * writes FILE; or -1 with what went wrong in *WHY (constant or borrowed until the next
 * call). One thread, while no other one makes files: the umask changes for a moment. */
int local_socket_open(const char *path, mode_t mode, const char *group,
                      struct local_file *file, const char **why);

/* Removes FILE, unless another one is there in its place. */
void local_socket_remove(const struct local_file *file);

#endif
