#include <config.h>

#include "stream_site.h"

#include "oom.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct crier_stream *stream;
struct crier_stream_options options;
struct signal_box opened, closed, woken;
struct site site;
int last_error;
long oom;
bool headers_fail;

/* The names that the linker's --wrap gives it. */
enum MHD_Result __real_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value);
enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value);

enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value)
{
    return headers_fail
               ? MHD_NO
               : __real_MHD_add_response_header(response, name, value);
}

void count_wake(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_put(&woken, 0);
}

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (strcmp(path, "/refused") == 0) {
        ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                          &stream, &response),
                         0);
        MHD_destroy_response(response);
        return site_status(connection, 418);
    }
    oom_after(oom);
    last_error = crier_stream_new(of->shards, connection, &options, &stream,
                                  &response);
    oom_never();
    if (last_error != 0)
        return site_status(connection, 503);
    result = site_queue(connection, response);
    box_put(&opened, 0);
    return result;
}

void setup(void)
{
    box_init(&opened);
    box_init(&closed);
    box_init(&woken);
    oom = 0;
    headers_fail = false;
    memset(&options, 0, sizeof options);
    options.on_closed = box_closed;
    options.closure = &closed;
    options.keep_alive = CRIER_NEVER;
    memset(&site, 0, sizeof site);
    site.answer = answer;
    site_start(&site, NULL);
}

void teardown(void)
{
    box_done(&opened);
    box_done(&closed);
    box_done(&woken);
}

void open_stream(struct client *client)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
}

void open_small_stream(struct client *client, size_t max_pending)
{
    options.max_pending = max_pending;
    client_connect_small(client, site.port, 4096);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
}

void send_text(const char *text)
{
    struct crier_frame *frame = frame_of(text);

    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    crier_frame_unref(frame);
}

void expect_left(bool reset)
{
    int reason = box_wait(&closed, 1);

    ck_assert_msg(reason == CRIER_REASON_LEFT ||
                      (reset && reason == CRIER_REASON_TRANSPORT),
                  "the reason is %d", reason);
}

void finish(void)
{
    crier_stream_unref(stream);
    site_stop(&site);
}

char *long_text(size_t length, unsigned seed)
{
    char *text = malloc(length + 1);
    size_t i;

    for (i = 0; i < length; i++)
        text[i] = (char)('!' + (i * 31 + i / 251 + seed) % 90);
    text[length] = '\0';
    return text;
}
