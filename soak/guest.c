/*
 * A client in this process: what it does, well or badly. What it must get is
 * told in check.c.
 *
 *   stays     comes at the beginning of a cycle and reads to its end. Such a
 *             one is never harmed, and its latencies are those of the plot.
 *   visits    comes for a moment and leaves by closing, by a reset, by closing
 *             one half, or before its request is whole; comes back with its
 *             last id, or begins anew; or polls
 *   stalls    has a small window and stops reading: for a moment, or for so
 *             long that crierd has to end its stream
 *   page      one of a number of clients who close in the same moment and come
 *             back at once, as those of a page that is reloaded
 *
 * AWAY -> COMING -> HERE -> AWAY; HERE <-> STALLED; HERE -> LEAVING -> AWAY
 * (one half is closed); COMING -> BROKEN -> AWAY (half of a request was sent).
 */
#include <config.h>

#include "guest.h"

#include "bench/usage.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define COMING_MAX 200
#define SMALL_WINDOW 8192
#define REQUEST_SIZE 2048
#define SECOND UINT64_C(1000000000)
#define ANSWER_PATIENCE (20 * SECOND)

/* Who closes before crierd has read what there is to be read is not noticed
 * until the connection's time-out: that would be waited for at the quiet
 * point. */
#define BROKEN_MS 100

static size_t index_of(const struct guest *guest)
{
    return (size_t)(guest - guest->crowd->guests);
}

static uint64_t *tally(const struct guest *guest, enum tally tally)
{
    return &guest->crowd->soak->verdict.tally[tally];
}

/* ---- going ------------------------------------------------------------ */

void guest_go(struct guest *guest, bool gently, uint64_t pause)
{
    struct crowd *crowd = guest->crowd;

    if (guest->mood == COMING || guest->mood == BROKEN)
        crowd->coming--;
    else if (guest->mood != AWAY)
        crowd->soak->here--;
    reader_close(&guest->reader, gently);
    guest->mood = AWAY;
    guest->due = usage_now() + pause;
    guest->stalled = guest->resumed = guest->stall = 0;
}

/* Leaves by itself, in one way or another. */
static bool leave(struct guest *guest)
{
    struct dice *dice = &guest->crowd->soak->dice;
    uint64_t way = dice_range(dice, 0, 9);
    uint64_t pause = dice_ms(dice, 0, dice_chance(dice, 80) ? 400 : 4000);

    guest->returning = dice_chance(dice, 70);
    if (way < 2 && guest->mood == HERE) {
        ++*tally(guest, TALLY_HALVES);
        guest->mood = LEAVING;
        guest->due = usage_now() + ANSWER_PATIENCE;
        (void)shutdown(guest->reader.watch.fd, SHUT_WR);
        return true;
    }
    ++*tally(guest, way < 6 ? TALLY_RESETS : TALLY_CLOSES);
    guest_go(guest, way >= 6, pause);
    return true;
}

/* ---- coming ----------------------------------------------------------- */

static uint32_t choose_topics(struct dice *dice, enum character character)
{
    uint64_t which = dice_range(dice, 0, 99);
    uint32_t topics = 0;

    if (which < 1)
        return LEDGER_ALL;
    if (character == STALLS) /* there is much to take */
        topics = 1u << (LANE_LARGE * LANE_TOPICS +
                        dice_range(dice, 0, LANE_TOPICS - 1));
    do
        topics |= 1u << dice_range(dice, 0, LANES * LANE_TOPICS - 1);
    while (which < 20 && __builtin_popcount(topics) < 4);
    return topics;
}

/* Decides where it begins, and what the request says of it. */
static void choose_start(struct guest *guest, char *query, char *header,
                         size_t room)
{
    struct soak *soak = guest->crowd->soak;
    const char *id = crier_parser_id(guest->reader.parser);
    uint32_t topics = guest->check.topics;
    uint64_t which = dice_range(&soak->dice, 0, 9);
    bool sharp = *id == '#';

    *query = *header = '\0';
    guest->poll = guest->character == VISITS && dice_chance(&soak->dice, 8);
    if (guest->returning && *id != '\0' &&
        !check_is_old(&guest->check, soak)) {
        ++*tally(guest, TALLY_RETURNS);
        if (which < 3)
            snprintf(query, room, "&lastEventID=%s%s", sharp ? "%23" : "",
                     id + sharp);
        else
            snprintf(header, room, "Last-Event-ID: %s\r\n", id);
        check_ask(&guest->check, soak, topics, START_ID);
        return;
    }
    (void)crier_parser_set_id(guest->reader.parser, "");
    topics = choose_topics(&soak->dice, guest->character);
    if (guest->poll || which < (guest->character == STALLS ? 5 : 1)) {
        snprintf(query, room, "&since=all");
        check_ask(&guest->check, soak, topics, START_ALL);
    } else if (which < 3) {
        snprintf(query, room, "&since=%u",
                 (unsigned)dice_range(&soak->dice, 1, 30));
        check_ask(&guest->check, soak, topics, START_LAST);
    } else {
        check_ask(&guest->check, soak, topics, START_NOW);
    }
}

static bool connected(struct reader *reader)
{
    struct guest *guest = (struct guest *)reader;
    struct dice *dice = &guest->crowd->soak->dice;
    char names[LEDGER_NAMES_MAX], query[512], header[512];
    char head[REQUEST_SIZE];
    size_t length;

    choose_start(guest, query, header, sizeof header);
    ledger_names(guest->check.topics, names, sizeof names);
    length = (size_t)snprintf(
        head, sizeof head,
        "GET /topics/%s?format=%s%s%s HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "Accept: text/event-stream\r\n%s\r\n",
        names, dice_chance(dice, 30) ? "full" : "sse",
        guest->poll ? "&poll=1" : "", query, header);
    if (guest->character == VISITS && dice_chance(dice, 8)) {
        ++*tally(guest, TALLY_BREAKS);
        guest->mood = BROKEN;
        guest->due = usage_now() + dice_ms(dice, BROKEN_MS, 500);
        guest->returning = false;
        length = dice_range(dice, 1, length - 1);
    }
    return reader_ask(reader, head, length);
}

/* How long it does what it does first. */
static uint64_t first_due(const struct guest *guest, uint64_t now)
{
    struct dice *dice = &guest->crowd->soak->dice;

    switch (guest->character) {
    case VISITS:
        return now + dice_ms(dice, 0, dice_chance(dice, 50) ? 300 : 3000);
    case STALLS:
        return now + dice_ms(dice, 0, dice_chance(dice, 50) ? 20 : 1500);
    default:
        return GUEST_NEVER;
    }
}

static bool opened(struct reader *reader)
{
    struct guest *guest = (struct guest *)reader;
    struct soak *soak = guest->crowd->soak;

    soak->load.progress++;
    if (guest->mood == BROKEN)
        return verdict_broken(&soak->verdict, PROMISE_TRUE,
                              "half a request was answered with %d",
                              reader_status(reader));
    if (reader_status(reader) != 200) {
        bool fair = soak_excused(soak, guest->since);

        guest_go(guest, true, dice_ms(&soak->dice, 50, 300));
        return fair || verdict_broken(&soak->verdict, PROMISE_HARM,
                                      "a stream was refused with %d",
                                      reader_status(reader));
    }
    check_open(&guest->check, soak);
    guest->mood = HERE;
    guest->crowd->coming--;
    soak->here++;
    guest->goodbye = false;
    guest->due = first_due(guest, usage_now());
    ++*tally(guest, TALLY_STREAMS);
    return true;
}

/* ---- here ------------------------------------------------------------- */

static bool farewell(struct guest *guest, const struct crier_message *message)
{
    struct soak *soak = guest->crowd->soak;

    guest->goodbye = true;
    ++*tally(guest, TALLY_GOODBYES);
    return (soak_excused(soak, guest->since) && soak->told &&
            message->retry >= 1000 && message->retry <= 5000) ||
           verdict_broken(&soak->verdict, PROMISE_GOODBYE,
                          "retry: %llu came %s",
                          (unsigned long long)message->retry,
                          soak_excused(soak, guest->since)
                              ? "as a goodbye"
                              : "while crierd was to go on");
}

static bool told(struct reader *reader, const struct crier_message *message,
                 uint64_t now)
{
    struct guest *guest = (struct guest *)reader;
    struct soak *soak = guest->crowd->soak;
    struct update *update;

    soak->load.progress++;
    if (message->kind == CRIER_COMMENT)
        ++*tally(guest, TALLY_PINGS);
    if (message->kind == CRIER_RETRY)
        return farewell(guest, message);
    if (message->kind != CRIER_EVENT)
        return true;
    guest->goodbye = false;
    if (!check_event(&guest->check, soak, message->type, message->id,
                     message->data, message->length, &update))
        return false;
    if (update != NULL && guest->character == STAYS && !update->again &&
        update->sent > guest->since && !soak_excused(soak, update->sent))
        histogram_add(&soak->latency, now - update->sent);
    return true;
}

/* Whether it stalled for so long that crierd may have ended it. Stalls with no
 * more than a moment between count together: after a closed window the kernel
 * of the sender finds out about a small one by probes alone, which become
 * rare. */
static bool overstayed(const struct guest *guest)
{
    uint64_t lasted = guest->stall;

    if (guest->mood == STALLED)
        lasted += usage_now() - guest->stalled;
    return lasted > SOAK_STALL_TIMEOUT * SECOND * 9 / 10;
}

/* Whether crierd may have ended its stream in this way. */
static bool may_end(const struct guest *guest, int error)
{
    struct soak *soak = guest->crowd->soak;
    enum lane lane;
    uint64_t number;

    if (guest->mood == COMING || guest->mood == BROKEN ||
        guest->mood == LEAVING)
        return guest->mood != COMING || soak_excused(soak, guest->since) ||
               verdict_broken(&soak->verdict, PROMISE_HARM,
                              "a client was not let in: %s", strerror(error));
    if (soak_excused(soak, guest->since) && soak->told && !guest->goodbye &&
        !guest->poll && guest->stalled == 0)
        return verdict_broken(&soak->verdict, PROMISE_GOODBYE,
                              "a stream ended without one");
    if (soak_excused(soak, guest->since))
        return true;
    if (overstayed(guest)) {
        ++*tally(guest, TALLY_STALLED);
        return true;
    }
    if (!guest->poll || error != 0)
        return verdict_broken(&soak->verdict, PROMISE_HARM,
                              "crierd ended the stream of a client that %s: "
                              "%s",
                              guest->stalled != 0 ? "had stalled for a moment"
                                                  : "reads",
                              error != 0 ? strerror(error) : "end");
    ++*tally(guest, TALLY_POLLS);
    number = check_missing(&guest->check, soak, true, &lane);
    return number == 0 ||
           verdict_broken(&soak->verdict, PROMISE_ALL,
                          "a poll ended without %s %llu", ledger_lane(lane),
                          (unsigned long long)number);
}

static bool ended(struct reader *reader, int error)
{
    struct guest *guest = (struct guest *)reader;
    struct dice *dice = &guest->crowd->soak->dice;

    if (!may_end(guest, error))
        return false;
    if (guest->mood == HERE || guest->mood == STALLED)
        guest->returning = guest->mood == STALLED || dice_chance(dice, 95);
    guest_go(guest, true, dice_ms(dice, 20, 300));
    return true;
}

static const struct reader_calls calls = {connected, opened, told, ended};

static bool stall(struct guest *guest, uint64_t now)
{
    struct dice *dice = &guest->crowd->soak->dice;

    ++*tally(guest, TALLY_STALLS);
    guest->mood = STALLED;
    guest->stalled = now;
    if (now - guest->resumed > SOAK_STALL_TIMEOUT * SECOND)
        guest->stall = 0;
    guest->due = now + (dice_chance(dice, 25)
                            ? dice_ms(dice, SOAK_STALL_TIMEOUT * 1000 + 200,
                                      SOAK_STALL_TIMEOUT * 2000)
                            : dice_ms(dice, 50, SOAK_STALL_TIMEOUT * 500));
    return reader_pause(&guest->reader, true);
}

static bool go_on(struct guest *guest, uint64_t now)
{
    guest->stall += now - guest->stalled;
    guest->resumed = now;
    guest->mood = HERE;
    guest->due = first_due(guest, now);
    return reader_pause(&guest->reader, false);
}

/* ---- what it does ----------------------------------------------------- */

static bool come(struct guest *guest, uint64_t now)
{
    struct crowd *crowd = guest->crowd;

    if (crowd->coming >= COMING_MAX || !crowd->soak->up)
        return true;
    crowd->coming++;
    guest->mood = COMING;
    guest->since = now;
    guest->due = now + ANSWER_PATIENCE;
    return reader_connect(&guest->reader, crowd->soak->server.port,
                          index_of(guest),
                          guest->character == STALLS ? SMALL_WINDOW : 0);
}

bool guest_act(struct guest *guest, uint64_t now)
{
    struct verdict *verdict = &guest->crowd->soak->verdict;

    switch (guest->mood) {
    case AWAY:
        return come(guest, now);
    case BROKEN:
        guest_go(guest, dice_chance(&guest->crowd->soak->dice, 50), 0);
        return true;
    case HERE:
        return guest->character == STALLS ? stall(guest, now) : leave(guest);
    case STALLED:
        return go_on(guest, now);
    case COMING:
    case LEAVING:
        break;
    }
    return soak_excused(guest->crowd->soak, guest->since) ||
           verdict_broken(verdict, PROMISE_HARM,
                          "a client waited in vain %s",
                          guest->mood == COMING ? "to be let in"
                                                : "for the end of its stream");
}

bool guest_settle(struct guest *guest, uint64_t now)
{
    if (guest->mood == STALLED)
        return go_on(guest, now);
    if (guest->mood == HERE && !guest->poll)
        guest->due = GUEST_NEVER;
    if (guest->mood == AWAY && guest->character != STAYS)
        return true;
    return guest->due > now || guest_act(guest, now);
}

bool guest_init(struct guest *guest, struct crowd *crowd,
                enum character character)
{
    guest->crowd = crowd;
    guest->character = character;
    return reader_init(&guest->reader, &crowd->soak->load, &calls);
}

void guest_done(struct guest *guest)
{
    reader_done(&guest->reader);
}
