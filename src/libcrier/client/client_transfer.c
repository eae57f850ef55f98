/*
 * One transfer of a client: the request, the response and the result.
 *
 * The response is judged when its headers are complete: a stream is opened, the body of
 * a refusal may be read for its reason, and anything else is cut off at once, because
 * it may never end. A full input pauses the transfer, and TCP then stops the server.
 */
#include <config.h>

#include "base/buffer.h"
#include "base/token.h"
#include "client_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How many bytes of a stream may wait to be parsed. */
#define INPUT_MAX ((size_t)256 * 1024)

/* The same for bytes that libcurl has decoded while the transfer was paused. */
#define DECODED_MAX ((size_t)16 * 1024 * 1024)

/* How much of the body of a refusal is read, and for how long. */
#define BODY_MAX ((size_t)8 * 1024)
#define BODY_TIME 5000

/* No server accepts a longer id in a header. */
#define ID_MAX ((size_t)64 * 1024)

/* ---- the response ----------------------------------------------------- */

static bool is_event_stream(const char *type)
{
    static const char wanted[] = "text/event-stream";
    size_t length = sizeof wanted - 1;

    return type != NULL && curl_strnequal(type, wanted, length) &&
           (type[length] == '\0' || strchr(" \t;", type[length]) != NULL);
}

/* The response is a refusal; its body may hold the reason. */
static void refuse_response(struct crier_client *client)
{
    client->answered = true;
    client->verdict = CRIER_ERR_STATUS;
    client->body_until = crier_now() + BODY_TIME;
}

/* A client that has no id takes the one in the field Last-Event-ID, in which crierd
 * sends the id after which the stream begins. A value that cannot be an id is ignored.
 * Returns false when memory is short. */
static bool take_begin(struct crier_client *client)
{
    struct curl_header *field;

    return crier_parser_id(client->parser)[0] != '\0' ||
           curl_easy_header(client->handle, "Last-Event-ID", 0, CURLH_HEADER,
                            -1, &field) != CURLHE_OK ||
           strlen(field->value) > ID_MAX ||
           crier_parser_set_id(client->parser, field->value) != -ENOMEM;
}

/* The headers of a response are complete. Returns whether to read its body. */
static bool judge_headers(struct crier_client *client)
{
    const char *type = NULL;
    int coding;

    curl_easy_getinfo(client->handle, CURLINFO_RESPONSE_CODE, &client->status);
    curl_easy_getinfo(client->handle, CURLINFO_CONTENT_TYPE, &type);
    if (client->status < 200 && client->status != 101)
        return true; /* another response follows */
    if (client->status < 200 ||
        (client->status >= 300 && client->status < 400)) {
        client->connected = false;
        client->body_until = crier_now() + BODY_TIME;
        curl_easy_getinfo(client->handle, CURLINFO_REDIRECT_COUNT,
                          &client->redirects);
        return true; /* libcurl may follow the redirect */
    }
    client->body_until = CRIER__NEVER;
    client->answered = true;
    if (client->status == 204) {
        client->verdict = CRIER_ERR_NO_CONTENT;
        return false;
    }
    if (client->status != 200) {
        refuse_response(client);
        return true;
    }
    if (!is_event_stream(type)) {
        client->verdict = CRIER_ERR_CONTENT_TYPE;
        snprintf(client->reason, sizeof client->reason,
                 "the response is %.100s, not text/event-stream",
                 type != NULL ? type : "of no type");
        crier__http_tidy(client->reason);
        return false;
    }
    coding = crier__http_coding(client->handle, client->reason,
                                sizeof client->reason);
    if (coding < 0) {
        client->verdict = coding;
        return false;
    }
    client->coded = coding > 0;
    if (!take_begin(client))
        return false;
    client->opened = true;
    client->notice = CRIER_OPEN;
    return true;
}

static size_t take_header(char *line, size_t one, size_t length, void *closure)
{
    struct crier_client *client = closure;
    int whole = crier__head_line(&client->head, line, length);

    (void)one;
    client->heard = crier_now();
    if (whole < 0)
        return 0;
    return whole == 0 || client->answered || judge_headers(client) ? length : 0;
}

/* The connection is made; from now on the read timeout applies. */
static int note_request_sent(void *closure, char *remote, char *local, int remote_port,
                             int local_port)
{
    struct crier_client *client = closure;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    client->connected = true;
    client->heard = crier_now();
    return CURL_PREREQFUNC_OK;
}

/* Empties the input, all of which is parsed, and frees the memory of a burst. */
static void empty_input(struct crier_client *client)
{
    if (client->input.capacity > INPUT_MAX)
        crier__buffer_done(&client->input);
    crier__buffer_clear(&client->input);
    client->at = 0;
}

/* libcurl decodes a received piece to its end even while the transfer is paused, and
 * passes the result on when it is resumed. It accepts more of that at a time, because
 * libcurl copies the rest whenever this pauses again. */
static size_t take_bytes(char *bytes, size_t one, size_t length, void *closure)
{
    struct crier_client *client = closure;
    struct crier__buffer *input = &client->input;
    size_t most =
        client->coded && client->resuming ? DECODED_MAX : INPUT_MAX;

    (void)one;
    client->heard = crier_now();
    if (!client->answered) /* libcurl hides the body of a redirect that it follows */
        refuse_response(client);
    if (client->at == input->length)
        empty_input(client);
    if (!client->opened && input->length + length > BODY_MAX) {
        crier__buffer_add(input, bytes, BODY_MAX - input->length);
        return 0; /* the beginning holds the reason */
    }
    if (input->length != 0 && input->length + length > most) {
        client->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    return crier__buffer_add(input, bytes, length) == 0 ? length : 0;
}

/* ---- the request ------------------------------------------------------ */

int crier__client_prepare(struct crier_client *client, size_t body_length)
{
    bool post = client->body != NULL ||
                (client->method != NULL && strcmp(client->method, "POST") == 0);
    CURL *handle;

    client->handle = handle =
        crier__http_handle(&client->http, client->url, client->trouble);
    if (handle == NULL)
        return -ENOMEM;
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, client);
    curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, note_request_sent);
    curl_easy_setopt(handle, CURLOPT_PREREQDATA, client);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, client);
    /* The connection is not kept open while the client waits to reconnect. */
    curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);
    if (post) {
        curl_easy_setopt(
            handle, CURLOPT_POSTFIELDSIZE_LARGE,
            client->body != NULL ? (curl_off_t)body_length : (curl_off_t)0);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
                         client->body != NULL ? client->body : "");
    }
    if (client->method == NULL)
        return 0;
    if (!crier__token_valid(client->method))
        return CRIER_ERR_INVALID;
    /* libcurl knows how redirects change these two. */
    if (strcmp(client->method, post ? "POST" : "GET") != 0 &&
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, client->method) !=
            CURLE_OK)
        return -ENOMEM;
    return 0;
}

static int set_headers(struct crier_client *client)
{
    const char *id = crier_parser_id(client->parser);
    const char *own[] = {"Accept: text/event-stream",
                         "Cache-Control: no-cache",
                         "Expect:",
                         "Content-Type: text/plain; charset=utf-8",
                         NULL,
                         NULL};
    char *last = NULL;
    int error;

    curl_slist_free_all(client->headers);
    client->headers = NULL;
    if (client->body == NULL)
        own[3] = "Content-Type:"; /* libcurl would add one to a POST */
    if (strlen(id) > ID_MAX)
        return CRIER_ERR_ID_SIZE;
    if (!crier__http_value_fits(id))
        return CRIER_ERR_ID_FIELD;
    if (id[0] != '\0') {
        if (asprintf(&last, "Last-Event-ID: %s", id) < 0)
            return -ENOMEM;
        own[4] = last;
    }
    error = crier__http_headers(&client->http, own, &client->headers);
    free(last);
    curl_easy_setopt(client->handle, CURLOPT_HTTPHEADER, client->headers);
    return error;
}

int crier__client_connect(struct crier_client *client)
{
    int error = set_headers(client);

    if (error == 0 && curl_easy_setopt(client->handle, CURLOPT_URL,
                                       client->url) != CURLE_OK)
        error = -ENOMEM;
    if (error != 0)
        return error;
    crier_parser_begin(client->parser);
    crier__buffer_done(&client->input);
    client->at = 0;
    client->trouble[0] = '\0';
    client->reason[0] = '\0';
    client->answered = client->opened = client->paused = false;
    client->connected = client->coded = false;
    client->head = (struct crier__head){0};
    client->verdict = 0;
    client->status = 0;
    client->heard = crier_now();
    client->body_until = CRIER__NEVER;
    client->loop.stuck = false;
    if (curl_multi_add_handle(client->loop.multi, client->handle) != CURLM_OK)
        return -ENOMEM;
    client->state = CRIER__RUNNING;
    return 0;
}

void crier__client_drop(struct crier_client *client)
{
    if (client->state == CRIER__RUNNING)
        curl_multi_remove_handle(client->loop.multi, client->handle);
    client->state = CRIER__ENDING;
    client->paused = client->opened = false;
    crier__buffer_done(&client->input);
    client->at = 0;
}

/* ---- what became of it ------------------------------------------------ */

/* Whether to reconnect after a transfer that failed with ERROR and without a response:
 * when that cannot help, the standard makes the client end. */
static bool may_help(const struct crier_client *client, int error)
{
    if (error == CRIER_ERR_CERTIFICATE)
        return client->persist &&
               client->result == CURLE_PEER_FAILED_VERIFICATION;
    return error != CRIER_ERR_URL && error != CRIER_ERR_STATUS;
}

/* Whether a received piece has decoded to more than libcurl holds (64 MiB). Only that
 * ends a transfer that is paused. */
static bool is_bomb(const struct crier_client *client)
{
    return client->coded && client->paused && client->result != CURLE_OK;
}

int crier__client_judge(struct crier_client *client, bool *again)
{
    int error = client->verdict;

    *again = false;
    if (is_bomb(client)) {
        snprintf(client->reason, sizeof client->reason,
                 "what the server sent at once decodes to too much");
        return CRIER_ERR_ENCODING;
    }
    if (error == CRIER_ERR_STATUS ||
        (error == 0 && client->result == CURLE_OK && !client->opened &&
         client->head.whole)) {
        /* without a verdict it is a redirect without a target */
        crier__http_reason(client->reason, sizeof client->reason,
                           client->status, client->input.bytes,
                           client->input.length);
        *again = client->persist && crier__http_temporary(client->status);
        return CRIER_ERR_STATUS;
    }
    if (error != 0)
        return error;
    if (client->result == CURLE_OK && client->head.whole) {
        *again = true;
        return CRIER_ERR_ENDED;
    }
    error = crier__http_failure(client->handle, client->result,
                                client->trouble, client->reason,
                                sizeof client->reason);
    *again = client->opened || may_help(client, error);
    return error;
}
