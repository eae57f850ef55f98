/*
 * The pages. A path is walked one segment at a time below the directory that
 * was opened at the start, each step with O_NOFOLLOW: no "..", however it is
 * written, no symbolic link and no encoded slash leads out, because none of them
 * is ever handed to the kernel as part of a longer path. Names that begin with a
 * dot are not served.
 */
#include <config.h>

#include "files.h"

#include "crierd/http/response.h"
#include "crierd/http/respond.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ETAG_SIZE 64

static const struct {
    const char *ending, *type;
} types[] = {
    {".css", "text/css; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".html", "text/html; charset=utf-8"},
    {".ico", "image/x-icon"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
    {".woff2", "font/woff2"},
};

static const char *type_of(const char *name)
{
    const char *ending = strrchr(name, '.');
    size_t i;

    for (i = 0; ending != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

int files_open(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* The name of the file or directory that SEGMENT, the last one or not, means;
 * NULL when it must not be opened. */
static const char *name_of(const struct uri_text *segment, bool last)
{
    if (last && segment->length == 0)
        return "index.html";
    if (segment->length == 0 || segment->bytes[0] == '.' ||
        strchr(segment->bytes, '/') != NULL)
        return NULL;
    return segment->bytes;
}

/* One step down from the directory AT. -1 with errno. */
static int step(int at, const char *name, bool last)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

    if (name == NULL) {
        errno = ENOENT;
        return -1;
    }
    return openat(at, name, last ? flags : flags | O_DIRECTORY);
}

/* Opens the file that URI names below DIR, and tells its NAME. -1 with errno
 * when there is none. */
static int open_file(int dir, const struct uri *uri, const char **name)
{
    int at = dir, next, error;
    size_t i;

    *name = NULL;
    for (i = 0; i < uri->segment_count && at >= 0; i++) {
        bool last = i + 1 == uri->segment_count;

        *name = name_of(&uri->segments[i], last);
        next = step(at, *name, last);
        error = errno;
        if (at != dir)
            close(at);
        errno = error;
        at = next;
    }
    return at;
}

/* Whether the If-None-Match list HEADER names ETAG (RFC 9110 section 13.1.2,
 * which compares weakly). */
static bool names_etag(const char *header, const char *etag)
{
    size_t length = strlen(etag);

    if (header == NULL)
        return false;
    while (*header != '\0') {
        header += strspn(header, " \t,");
        if (*header == '*')
            return true;
        if (strncmp(header, "W/", 2) == 0)
            header += 2;
        if (strncmp(header, etag, length) == 0)
            return true;
        header += strcspn(header, ",");
    }
    return false;
}

/* The response for 200 and for 304, to which libmicrohttpd sends no body. */
static struct MHD_Response *make(int fd, const struct stat *status,
                                 const char *name, const char *etag)
{
    struct MHD_Response *response;

    response = MHD_create_response_from_fd64((uint64_t)status->st_size, fd);
    if (response == NULL) {
        close(fd);
        return NULL;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, etag) ==
            MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-cache") == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                type_of(name)) == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static bool not_found(struct request *request)
{
    return respond_problem(request, MHD_HTTP_NOT_FOUND,
                         "there is nothing at this path");
}

static bool get_file(struct request *request)
{
    struct stat status;
    char etag[ETAG_SIZE];
    const char *name;
    bool known;
    int fd = open_file(request->server->www, &request->uri, &name);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "the server is short of resources");
    if (fd < 0)
        return not_found(request);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return not_found(request);
    }
    snprintf(etag, sizeof etag, "\"%llx-%llx-%llx\"",
             (unsigned long long)status.st_mtim.tv_sec,
             (unsigned long long)status.st_mtim.tv_nsec,
             (unsigned long long)status.st_size);
    known = names_etag(request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH),
                       etag);
    return response_send_made(request,
                              known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
                              make(fd, &status, name, etag));
}

/* Whether there is a page for REQUEST. */
static bool is_file(const struct request *request)
{
    struct stat status;
    const char *name;
    int fd = open_file(request->server->www, &request->uri, &name);
    bool regular;

    if (fd < 0)
        return false;
    regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    close(fd);
    return regular;
}

const struct route files_routes[] = {
    {"GET", "**", get_file, SCOPE_READ, .exists = is_file},
    {0},
};
