/*
 * Lists of topics, which are read from Redis in pages and filtered here.
 *
 * A list that is open is the thread's alone. The connections answer each call once, also with
 * NULL, so a list is answered once.
 */
#include <config.h>

#include "redis.h"
#include "redis_past.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 200
#define SCRIPT_TIME 10000

struct crier__redis_listing {
    struct crier__redis *redis;
    struct crier__redis_call call;
    struct crier__list *list;
    char from[CRIER__TOPIC_SIZE + 1]; /* the next page begins here */
};

static void finish_listing(struct crier__redis_listing *listing, int error)
{
    listing->list->error = error;
    listing->list->done(listing->list);
    free(listing);
}

/* Copies TEXT, a reply, to the buffer TO of SIZE bytes. False: it is none, or too long. */
static bool copy_text(const redisReply *text, char *to, size_t size)
{
    if (text->type != REDIS_REPLY_STRING || (size_t)text->len >= size ||
        memchr(text->str, '\0', (size_t)text->len) != NULL)
        return false;
    memcpy(to, text->str, (size_t)text->len + 1);
    return true;
}

/* Writes the id of an update at POSITION, which TEXT is or the journal has made. */
static bool read_id(const struct crier__redis *redis, const redisReply *position,
                    const redisReply *text, char id[CRIER__ID_SIZE])
{
    uint64_t number;

    if (!crier__redis_read_number(position, &number) || !copy_text(text, id, CRIER__ID_SIZE))
        return false;
    if (id[0] == '\0')
        crier__id_make(id, redis->mirror.journal.epoch, number);
    else if (!crier__redis_is_id(id, strlen(id)))
        return false;
    return true;
}

/* Whether the last update of the topic INFO is too old, so that the topic holds nothing. */
static bool is_outdated(const struct crier__redis_listing *listing,
                   const struct crier__topic_info *info)
{
    struct crier_journal *journal = &listing->redis->mirror.journal;
    uint64_t all, own;
    int64_t now;

    if (!crier__journal_ages(journal))
        return false;
    all = crier__journal_limits(journal).age;
    own = crier__journal_retention(journal, info->name, strlen(info->name)).age;
    if (all == 0 || (own != 0 && own < all))
        all = own;
    now = crier__journal_time(0);
    return all != 0 && all < (uint64_t)now && info->time < now - (int64_t)all;
}

/* Takes ROW, one topic of a page. False: it is not in its place. */
static bool take_topic(struct crier__redis_listing *listing, const redisReply *row)
{
    struct crier__list *list = listing->list;
    unsigned long long count, bytes, evicted, newest_private, newest_public, ended;
    struct crier__topic_info info = {0};
    char record[160];
    uint64_t first_time, time;

    if (!crier__redis_is_array(row, 8) ||
        !copy_text(row->element[0], info.name, sizeof info.name) ||
        strcmp(info.name, listing->from) < 0)
        return false;
    snprintf(listing->from, sizeof listing->from, "%s\1", info.name);
    if (!crier__topic_valid(info.name, strlen(info.name)) ||
        !copy_text(row->element[1], record, sizeof record) ||
        !read_id(listing->redis, row->element[2], row->element[3], info.first) ||
        !crier__redis_read_number(row->element[4], &first_time) ||
        !read_id(listing->redis, row->element[5], row->element[6], info.last) ||
        !crier__redis_read_number(row->element[7], &time) ||
        sscanf(record, "%llu %llu %llu %llu %llu %llu", &count, &bytes, &evicted,
               &newest_private, &newest_public, &ended) != 6) {
        crier__journal_damage(&listing->redis->mirror.journal,
                              "a topic has no record");
        return true; /* which is no reason to show none of the others */
    }
    info.count = count;
    info.bytes = bytes;
    info.first_time = (int64_t)first_time;
    info.time = (int64_t)time;
    info.ended = ended != 0;
    if (count != 0 && list->count < list->limit && !is_outdated(listing, &info) &&
        crier__list_wants(list, info.name) &&
        (newest_private <= evicted || crier__list_shows_private(list, info.name)))
        list->infos[list->count++] = info;
    return true;
}

static void ask_list_page(struct crier__redis_listing *listing);

static void take_list_page(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_listing *listing =
        CRIER__CONTAINER_OF(call, struct crier__redis_listing, call);
    struct crier__list *list = listing->list;
    size_t i;

    if (listing->redis->past.closing || !crier__redis_is_array(reply, 0)) {
        finish_listing(listing, CRIER_ERR_STORAGE);
        return;
    }
    for (i = 0; i < reply->elements && list->count < list->limit; i++)
        if (!take_topic(listing, reply->element[i])) {
            finish_listing(listing, CRIER_ERR_STORAGE);
            return;
        }
    if (reply->elements < PAGE || list->count == list->limit ||
        crier__selectors_behind(list->selectors, listing->from))
        finish_listing(listing, 0);
    else
        ask_list_page(listing);
}

static void ask_list_page(struct crier__redis_listing *listing)
{
    struct crier__redis_args args = {0};
    char text[24];
    int error;

    crier__redis_begin_args(listing->redis, &args);
    crier__redis_arg(&args, listing->from, strlen(listing->from));
    crier__redis_arg(&args, "", 0);
    crier__redis_arg_number(&args, text, PAGE);
    listing->call.on_reply = take_list_page;
    error = args.failed ? -ENOMEM
                        : crier__redis_run(&listing->redis->link, CRIER__REDIS_READER,
                                           CRIER__REDIS_LIST, NULL, &args, SCRIPT_TIME,
                                           &listing->call);
    crier__redis_args_done(&args);
    if (error != 0)
        finish_listing(listing, error);
}

void crier__redis_list(struct crier__redis *redis, struct crier__list *list)
{
    struct crier__redis_listing *listing = calloc(1, sizeof *listing);
    const struct crier__selector *lowest = crier__selectors_lowest(list->selectors);

    list->count = 0;
    if (listing == NULL || redis->past.closing) {
        list->error = listing == NULL ? -ENOMEM : CRIER_ERR_STORAGE;
        free(listing);
        list->done(list);
        return;
    }
    listing->redis = redis;
    listing->list = list;
    if (list->after[0] != '\0') /* no topic has a control character */
        snprintf(listing->from, sizeof listing->from, "%s\1", list->after);
    if (strncmp(list->after, lowest->text, lowest->length) < 0)
        snprintf(listing->from, sizeof listing->from, "%.*s", (int)lowest->length,
                 lowest->text);
    ask_list_page(listing);
}
