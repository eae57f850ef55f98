/*
 * 404: problem details or, for a client that accepts HTML, the page 404.html among the
 * pages, if it is there. That page is seen below any path, and its links are relative, since
 * crierd may be behind a prefix of a proxy. So it has the text %ROOT% where they begin, which
 * is replaced by the way from the path of the request to the root.
 */
#include <config.h>

#include "not_found.h"

#include "base/buffer.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE "404.html"
#define ROOT "%ROOT%"

/* The largest page. */
#define PAGE_MAX 65536

/* No page is made for a path of more segments. */
#define SEGMENTS_MAX 64

/* Reads the page from the directory WWW to a *new* text. NULL when it is not there, too
 * large, or memory is short. */
static char *read_page(int www)
{
    int fd = openat(www, PAGE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(PAGE_MAX + 1) : NULL;
    size_t length = 0;
    ssize_t more = 1;

    while (text != NULL && more > 0 && length < PAGE_MAX) {
        more = read(fd, text + length, PAGE_MAX - length);
        if (more > 0)
            length += (size_t)more;
    }
    if (fd >= 0)
        close(fd);
    if (text == NULL || more != 0) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

/* Appends TEXT; an error or 0. */
static int append_text(struct crier__buffer *buffer, const char *text)
{
    return crier__buffer_add(buffer, text, strlen(text));
}

/* Appends the way from a path of COUNT segments to the root; an error or 0. */
static int append_root(struct crier__buffer *buffer, size_t count)
{
    int error = count < 2 ? append_text(buffer, "./") : 0;

    for (; error == 0 && count > 1; count--)
        error = append_text(buffer, "../");
    return error;
}

/* A *new* text: PAGE as it is for a path of COUNT segments. NULL when memory is short. */
static char *fill_page(const char *page, size_t count)
{
    struct crier__buffer buffer = {0};
    const char *root;
    int error = 0;

    while (error == 0 && (root = strstr(page, ROOT)) != NULL) {
        error = crier__buffer_add(&buffer, page, (size_t)(root - page));
        if (error == 0)
            error = append_root(&buffer, count);
        page = root + strlen(ROOT);
    }
    if (error == 0)
        error = append_text(&buffer, page);
    if (error != 0)
        crier__buffer_done(&buffer);
    return buffer.bytes;
}

bool not_found_is_page(const struct uri *uri)
{
    return uri->segment_count == 1 && strcmp(uri->segments[0].bytes, PAGE) == 0;
}

bool not_found_respond(struct request *request)
{
    const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);
    struct response response = {.status = MHD_HTTP_NOT_FOUND,
                                .type = "text/html; charset=utf-8"};
    char *page = NULL;

    if (accept != NULL && strstr(accept, "text/html") != NULL &&
        request->uri.segment_count <= SEGMENTS_MAX)
        page = read_page(request->server->www);
    if (page == NULL)
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is nothing at this path");
    response.body = fill_page(page, request->uri.segment_count);
    free(page);
    return response_send(request, &response);
}
