/*
 * Files that the configuration names.
 *
 * Rejected: pipes that are read without blocking. What `--config <(...)` hands over is empty
 * when crierd reads it again, and an empty file is a valid configuration: with no keys.
 * Rejected, too: stat() before open(), between which the file may be replaced.
 */
#include <config.h>

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 when FD, which is PATH, may be read. */
static int check_kind(int fd, const char *path)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) || strcmp(path, "/dev/null") == 0 ? 0 : -EINVAL;
}

static int open_fd(const char *path, FILE **file)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;

    if (fd < 0)
        return errno == ENXIO ? -EINVAL : -errno; /* ENXIO: a socket */
    error = check_kind(fd, path);
    if (error == 0 && (*file = fdopen(fd, "r")) == NULL)
        error = -errno;
    if (error != 0)
        close(fd);
    return error;
}

int crier__file_open(const char *path, FILE **file, char *why, size_t size)
{
    int error = open_fd(path, file);

    if (error != 0)
        snprintf(why, size, "%s",
                 error == -EINVAL ? "not a regular file" : strerror(-error));
    return error;
}

int crier__file_read(FILE *file, size_t max, char **text, size_t *length, char *why,
                     size_t size)
{
    char *bytes = malloc(max + 1);
    int error = bytes != NULL ? 0 : -ENOMEM;

    if (error == 0) {
        *length = fread(bytes, 1, max + 1, file);
        if (ferror(file))
            error = -errno;
        else if (*length > max)
            error = -EFBIG;
    }
    fclose(file);
    if (error == 0) {
        bytes[*length] = '\0';
        *text = bytes;
        return 0;
    }
    free(bytes);
    if (error == -EFBIG)
        snprintf(why, size, "larger than %zu bytes", max);
    else
        snprintf(why, size, "%s", strerror(-error));
    return error;
}

int crier__file_load(const char *path, size_t max, char **text, size_t *length, char *why,
                     size_t size)
{
    FILE *file;
    int error = crier__file_open(path, &file, why, size);

    return error != 0 ? error
                      : crier__file_read(file, max, text, length, why, size);
}
