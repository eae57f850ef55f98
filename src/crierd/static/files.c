/*
 * The pages: serves files below a directory that is opened at the start. A path is opened
 * one segment at a time with O_NOFOLLOW. Neither "..", however it is written, nor a
 * symbolic link or an encoded slash leads out of the directory, since the kernel never
 * gets a path of more than one segment. Names that begin with a dot are not served.
 *
 * The links of pages are relative, so a directory's page needs a path that ends with a slash:
 * without it the response is a redirect. A browser that asks for what is not there gets a
 * page (not_found.c), any other client problem details.
 */
#include <config.h>

#include "files.h"

#include "not_found.h"

#include "crierd/http/request.h"
#include "crierd/http/response.h"
#include "crierd/http/respond.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ETAG_SIZE 64

/* Room for where a directory is: its name, and the query of the request. */
#define LOCATION_SIZE 2048

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
    {".ts", "text/plain; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
    {".woff2", "font/woff2"},
    {".yaml", "application/yaml"},
};

/* The media type of the file NAME. */
static const char *find_type(const char *name)
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

/* The name to open for SEGMENT, which is or is not the LAST one of the path; NULL when it
 * must not be opened. */
static const char *choose_name(const struct uri_text *segment, bool last)
{
    if (last && segment->length == 0)
        return "index.html";
    if (segment->length == 0 || segment->bytes[0] == '.' ||
        strchr(segment->bytes, '/') != NULL)
        return NULL;
    return segment->bytes;
}

/* Opens NAME in the directory AT. Returns -1 with errno on failure. */
static int open_segment(int at, const char *name, bool last)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

    if (name == NULL) {
        errno = ENOENT;
        return -1;
    }
    return openat(at, name, last ? flags : flags | O_DIRECTORY);
}

/* Opens the file of URI below the directory DIR and sets *NAME to its name. Returns -1
 * with errno on failure. */
static int open_file(int dir, const struct uri *uri, const char **name)
{
    int at = dir, next, error;
    size_t i;

    *name = NULL;
    errno = ENOENT;
    if (not_found_is_page(uri))
        return -1;
    for (i = 0; i < uri->segment_count && at >= 0; i++) {
        bool last = i + 1 == uri->segment_count;

        *name = choose_name(&uri->segments[i], last);
        next = open_segment(at, *name, last);
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
static bool has_etag(const char *header, const char *etag)
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

/* A new response with the file FD (stolen), for 200, and for 304, with which
 * libmicrohttpd sends no body. NULL when memory is short. */
static struct MHD_Response *make_file_response(int fd, const struct stat *status,
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
                                find_type(name)) == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* Responds with where the page of the directory is whose path REQUEST names without its last
 * slash: relative, since a proxy may serve it below another path. */
static bool redirect_to_directory(struct request *request)
{
    const char *target = request->target;
    size_t path_length = strcspn(target, "?"), name;
    char location[LOCATION_SIZE];
    struct response response = {.status = MHD_HTTP_MOVED_PERMANENTLY,
                                .name = MHD_HTTP_HEADER_LOCATION,
                                .value = location};

    for (name = path_length; name > 0 && target[name - 1] != '/'; name--)
        ;
    if (snprintf(location, sizeof location, "./%.*s/%s", (int)(path_length - name),
                 target + name, target + path_length) >= (int)sizeof location)
        return not_found_respond(request);
    return response_send(request, &response);
}

static bool get_file(struct request *request)
{
    struct stat status = {0};
    char etag[ETAG_SIZE];
    const char *name;
    bool known;
    int fd = open_file(request->server->www, &request->uri, &name);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                               "the server is short of resources");
    if (fd < 0)
        return not_found_respond(request);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return S_ISDIR(status.st_mode) ? redirect_to_directory(request)
                                       : not_found_respond(request);
    }
    snprintf(etag, sizeof etag, "\"%llx-%llx-%llx\"",
             (unsigned long long)status.st_mtim.tv_sec,
             (unsigned long long)status.st_mtim.tv_nsec,
             (unsigned long long)status.st_size);
    known = has_etag(request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH),
                     etag);
    return response_send_made(request,
                              known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
                              make_file_response(fd, &status, name, etag),
                              known ? 0 : (uint64_t)status.st_size);
}

/* Whether there is a file for REQUEST. */
static bool has_file(const struct request *request)
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
    {"GET", "**", get_file, SCOPE_READ, .exists = has_file},
    {0},
};
