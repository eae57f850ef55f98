/*
 * The topics: the journal and the hub over it, made of the configuration, and changed
 * when that is.
 */
#include <config.h>

#include "topics.h"

#include "crierd/api/mercure_name.h"
#include "crierd/config/backend.h"
#include "crierd/demo/demo.h"
#include "crierd/log/log.h"
#include "crierd/systemd/notify.h"

#include <string.h>

/* How much of Crier's own topics is kept, unless the configuration has an entry for
 * them. */
static const struct crier_topic_retention own_topics[] = {
    {DEMO_TOPICS, {.count = DEMO_RETAINED}},
    {DEMO_ANSWERS, {.age = DEMO_ANSWER_AGE}},
    {"$presence/*", {.count = 1000}},
    /* Each subscription has a topic of its own here. */
    {MERCURE_SUBSCRIPTIONS "/*", {.count = 2, .age = 60000}},
};

#define OWN_TOPICS (sizeof own_topics / sizeof own_topics[0])
#define TOPICS_MAX (CONF_TOPICS_MAX + OWN_TOPICS)

/* How long a service manager is to wait for the journal, in us: after a crash, SQLite reads
 * all that had not reached the file itself, which may take minutes on a slow disk; and Redis
 * loads its data before it answers. */
#define OPENING_TIME "600000000"

/* Writes what CONF says about the journal to OPTIONS; TOPICS is for its list. */
static void fill_options(struct crier_journal_options *options,
                         struct crier_topic_retention topics[TOPICS_MAX],
                         const struct conf *conf)
{
    if (conf->topic_count != 0)
        memcpy(topics, conf->topics, conf->topic_count * sizeof topics[0]);
    memcpy(topics + conf->topic_count, own_topics, sizeof own_topics);
    *options = (struct crier_journal_options){
        .retention = conf->retention,
        .topics = topics,
        .topic_count = conf->topic_count + OWN_TOPICS,
        .max_topics = conf->max_topics,
    };
}

static struct crier_journal *open_journal(const struct conf *conf)
{
    struct crier_topic_retention topics[TOPICS_MAX];
    struct crier_journal_options options;
    const struct backend *backend;
    struct crier_journal *journal;
    const char *argument;
    char reason[256] = "", shown[BACKEND_TEXT_SIZE];
    int error;

    fill_options(&options, topics, conf);
    backend = backend_find(conf->journal, &argument);
    if (backend->place != BACKEND_MEMORY)
        (void)notify_send("STATUS=opening the journal\n"
                          "EXTEND_TIMEOUT_USEC=" OPENING_TIME);
    error = backend->open(argument, &options, &journal, reason, sizeof reason);
    if (error == 0)
        return journal;
    backend_show(conf->journal, shown);
    log_line(LOG_ERROR, "journal %s: %s%s%s", shown, crier_error_text(error),
             reason[0] != '\0' ? ": " : "", reason);
    return NULL;
}

bool topics_open(struct server *server)
{
    const struct conf *conf = server->conf;
    const struct crier_hub_options options = {.slow = conf->slow,
                                              .presence = conf->presence};
    struct crier_journal *journal = open_journal(conf);
    int error;

    if (journal == NULL)
        return false;
    error = crier_hub_new(server->shards, journal, &options, &server->hub);
    if (error != 0)
        log_line(LOG_ERROR, "cannot open the topics (--presence %s): %s",
                 conf->presence != NULL ? conf->presence : "not given",
                 crier_error_text(error));
    return error == 0;
}

/* Returns whether there was no ERROR; otherwise logs that NAMES could not be changed. */
static bool log_failure(const char *names, int error)
{
    if (error != 0)
        log_line(LOG_ERROR, "cannot change %s: %s", names,
                 crier_error_text(error));
    return error == 0;
}

bool topics_change(struct server *server, const struct conf *conf)
{
    struct crier_topic_retention topics[TOPICS_MAX];
    struct crier_journal_options options;

    fill_options(&options, topics, conf);
    return log_failure("what is retained",
                       crier_hub_set_retention(server->hub, &options)) &&
           log_failure("presence",
                       crier_hub_set_presence(server->hub, conf->presence)) &&
           log_failure("slow-client",
                       crier_hub_set_slow(server->hub, conf->slow));
}
