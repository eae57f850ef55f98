/*
 * Standard input, or a file, in whole or by lines, both with a maximum, which getline() does not
 * have. A blocked read() could not check the publisher, so input is polled first; that
 * also handles a descriptor that another process has made non-blocking.
 */
#include <config.h>

#include "pub_input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536

/* Waits for input or its end. Returns 0, -errno or -ECANCELED. */
static int wait_for_input(const struct pub_input *input)
{
    struct pollfd polled = {.fd = input->fd, .events = POLLIN};
    int patience, ready = poll(&polled, 1, 0);

    while (ready == 0 || (ready < 0 && errno == EINTR)) {
        patience = input->patience != NULL ? input->patience(input->closure) : -1;
        if (patience == 0)
            return -ECANCELED;
        ready = poll(&polled, 1, patience);
    }
    return ready < 0 ? -errno : 0; /* an error shows in read() */
}

/* Reads a block. Returns 0, -errno or -ECANCELED. */
static int read_block(struct pub_input *input)
{
    char block[BLOCK];
    ssize_t got;
    int error;

    do {
        error = wait_for_input(input);
        if (error != 0)
            return error;
        got = read(input->fd, block, sizeof block);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0)
        return -errno;
    if (got == 0)
        input->ended = true;
    text_add(&input->text, block, (size_t)got);
    return 0;
}

int pub_input_read_all(struct pub_input *input, size_t max)
{
    int error = 0;

    while (!input->ended && error == 0) {
        error = read_block(input);
        if (input->text.length > max)
            return -EFBIG;
    }
    return error;
}

/* Removes the bytes that were returned. */
static void drop_taken(struct pub_input *input)
{
    memmove(input->text.bytes, input->text.bytes + input->at,
            input->text.length - input->at);
    input->text.length -= input->at;
    input->searched -= input->at;
    input->at = 0;
}

/* Reads until there is a whole line and returns its end. Returns NULL at the end of
 * input, or with *ERROR. */
static const char *find_line_end(struct pub_input *input, size_t max, int *error)
{
    const char *end;

    *error = 0;
    for (;;) {
        end = input->text.bytes == NULL
                  ? NULL
                  : memchr(input->text.bytes + input->searched, '\n',
                           input->text.length - input->searched);
        if (end != NULL || input->ended)
            return end;
        input->searched = input->text.length;
        if (input->at != 0)
            drop_taken(input);
        if (input->text.length > max)
            *error = -EFBIG;
        else
            *error = read_block(input);
        if (*error != 0)
            return NULL;
    }
}

int pub_input_read_line(struct pub_input *input, size_t max, const char **line,
                        size_t *length)
{
    const char *end;
    int error;

    end = find_line_end(input, max, &error);
    if (error != 0)
        return error;
    if (end == NULL && input->at == input->text.length)
        return 0;
    *line = input->text.bytes + input->at;
    *length = end != NULL ? (size_t)(end - *line) : input->text.length - input->at;
    input->at += *length + (end != NULL);
    input->searched = input->at;
    if (*length != 0 && (*line)[*length - 1] == '\r')
        --*length;
    return *length > max ? -EFBIG : 1;
}

void pub_input_done(struct pub_input *input) { text_done(&input->text); }
