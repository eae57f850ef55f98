/* The configuration: each source, which of them counts, every mistake, and the files that
 * are written and read back. */
#include <config.h>

#include "crierd/config/conf.h"
#include "crierd/config/describe.h"
#include "crierd/config/load.h"
#include "crierd/config/options.h"
#include "crierd/config/print.h"
#include "crierd/config/value.h"
#include "support/runner.h"
#include "support/certificate.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[SCRATCH_SIZE + 8];
static char mistakes[8192]; /* a line each */
static struct conf *conf;   /* the last one that was read */

static void collect(const char *text)
{
    size_t length = strlen(mistakes);

    snprintf(mistakes + length, sizeof mistakes - length, "%s\n", text);
}

static void write_named(const char *name, const char *text)
{
    FILE *to = fopen(name, "w");

    ck_assert(to != NULL && fputs(text, to) >= 0 && fclose(to) == 0);
}

/* Makes the scratch directory, with a certificate and its key, and goes there. */
static void make_scratch(void)
{
    scratch_make();
    ck_assert_int_eq(chdir(scratch), 0);
    write_named("cert.pem", certificate);
    write_named("key.pem", key);
    snprintf(file, sizeof file, "%s/conf", scratch);
}

static void remove_scratch(void)
{
    conf_unref(conf);
    conf = NULL;
    scratch_remove();
}

static void write_file(const char *text)
{
    FILE *to = fopen(file, "w");

    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
}

/* Splits ARGUMENTS, words between spaces, up; FILE stands for the scratch file. */
static int split_words(const char *arguments, char *argv[96])
{
    static char line[2048];
    char *rest = line;
    int argc = 1;

    argv[0] = (char *)"crierd";
    snprintf(line, sizeof line, "%s", arguments);
    while (rest != NULL && *rest != '\0') {
        argv[argc] = strsep(&rest, " ");
        if (strcmp(argv[argc], "FILE") == 0)
            argv[argc] = file;
        argc++;
    }
    argv[argc] = NULL;
    return argc;
}

static enum load_result load(const char *arguments)
{
    enum load_result result;
    char *argv[96];
    int argc = split_words(arguments, argv);

    conf_unref(conf);
    conf = NULL;
    mistakes[0] = '\0';
    result = load_conf(argc, argv, collect, &conf);
    ck_assert((mistakes[0] != '\0') == (result == LOAD_BAD || result == LOAD_FAILED));
    ck_assert((conf != NULL) == (result == LOAD_RUN));
    return result;
}

static void must_load(const char *arguments)
{
    ck_assert_msg(load(arguments) == LOAD_RUN, "%s", mistakes);
}

/* ---- values ----------------------------------------------------------- */

START_TEST(defaults)
{
    must_load("");
    ck_assert_uint_eq(conf->listen.count, 1);
    ck_assert_str_eq(conf->listen.list[0], "127.0.0.1:8080");
    ck_assert_uint_eq(conf->ping, 10000);
    ck_assert_uint_ge(conf->threads, 1);
    ck_assert_uint_eq(conf->max_clients, 0);
    ck_assert_int_eq(conf->log_level, LOG_INFO);
    ck_assert_int_eq(conf->log_format, LOG_TEXT);
    ck_assert(conf->get_publish);
    ck_assert(conf->demo);
    ck_assert_str_eq(conf->journal, "memory");
    ck_assert_ptr_null(conf->presence);
    ck_assert_uint_eq(conf->max_update, 1024 * 1024);
    ck_assert_uint_eq(conf->max_topics, 100000);
    ck_assert_uint_eq(conf->stall_timeout, 30000);
    ck_assert_int_eq(conf->slow, CRIER_SLOW_GAP);
    ck_assert_uint_eq(conf->retention.count, 0);
    ck_assert_uint_eq(conf->topic_count, 0);
    ck_assert(!conf_has_keys(conf));
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_ALL);
    ck_assert_str_eq(conf->auth_cookie, "mercureAuthorization");
    ck_assert(conf->query_token);
}
END_TEST

static const char all_arguments[] =
    "--listen [::1]:0 --listen unix:/x,mode=0600,group=g,proxy "
    "--tls-cert cert.pem --tls-key key.pem "
    "--tls-listen [::]:443,proxy --admin-listen 127.0.0.1:9 --threads=3 "
    "--ping-interval 500ms --max-clients 7 "
    "--get-publish off --demo OFF --log-level debug --log-format json --www w --data d "
    "--journal sqlite:/x/y:z --retain-count 5 --retain-bytes 2G "
    "--retain-age 30d --max-topics 100 --max-update 64K --presence a,b "
    "--slow-client disconnect --stall-timeout 1s "
    "--jwks https://example.com/jwks --public-url https://example.com:8443/hub "
    "--anonymous subscribe --auth-cookie c --query-token off "
    "--publish-origin https://a.example --publish-origin http://[::1]:81 "
    "--cors-origin * "
    "--trusted-proxy 10.0.0.0/8 --trusted-proxy unix --max-clients-per-address 9 "
    "--publish-rate 100,1M --connect-rate 50 --limit-exempt 2001:db8::/32 "
    "--retain-topic a:b*:count=1,bytes=3K,age=2 --retain-topic c:age=1h";

static const char all_in_file[] =
    "\xef\xbb\xbf# A comment, behind the mark that some editors begin with.\n"
    "; Another.\n"
    "listen=[::1]:0\n"
    "listen = unix:/x,mode=0600,group=g,proxy\n"
    "tls-listen = [::]:443,proxy\n"
    "tls-cert = cert.pem\n"
    "tls-key = key.pem\n"
    "admin-listen = 127.0.0.1:9\n"
    "  threads = 3\n"
    "\tping-interval : 500ms\r\n"
    "max-clients = 7   ; behind a value\n"
    "get-publish = off\n"
    "demo = OFF\n"
    "log-level = debug\n"
    "log-format = json\n"
    "www = w\n"
    "data = d\n"
    "journal = sqlite:/x/y:z\n"
    "retain-count = 5\n"
    "retain-bytes = 2G\n"
    "retain-age = 30d\n"
    "max-topics = 100\n"
    "max-update = 64K\n"
    "presence = a,b\n"
    "slow-client = disconnect\n"
    "stall-timeout = 1s\n"
    "jwks = https://example.com/jwks\n"
    "public-url = https://example.com:8443/hub\n"
    "anonymous = subscribe\n"
    "auth-cookie = c\n"
    "query-token = off\n"
    "publish-origin = https://a.example\n"
    "publish-origin = http://[::1]:81\n"
    "cors-origin = *\n"
    "trusted-proxy = 10.0.0.0/8\n"
    "trusted-proxy = unix\n"
    "max-clients-per-address = 9\n"
    "publish-rate = 100,1M\n"
    "connect-rate = 50\n"
    "limit-exempt = 2001:db8::/32\n"
    "\n"
    "[retain-topic]\n"
    "topic = a:b*\n"
    "count = 1\n"
    "bytes = 3K\n"
    "age = 2\n"
    "[retain-topic]\n"
    "age = 1h\n"
    "topic = c";

static void check_all(void)
{
    ck_assert_uint_eq(conf->listen.count, 2);
    ck_assert_str_eq(conf->listen.list[0], "[::1]:0");
    ck_assert_str_eq(conf->listen.list[1], "unix:/x,mode=0600,group=g,proxy");
    ck_assert_uint_eq(conf->tls_listen.count, 1);
    ck_assert_str_eq(conf->tls_listen.list[0], "[::]:443,proxy");
    ck_assert_str_eq(conf->tls_cert, "cert.pem");
    ck_assert_str_eq(conf->tls_key, "key.pem");
    ck_assert_ptr_nonnull(conf->certificate);
    ck_assert_uint_eq(conf->admin_listen.count, 1);
    ck_assert_str_eq(conf->admin_listen.list[0], "127.0.0.1:9");
    ck_assert_str_eq(conf->www, "w");
    ck_assert_str_eq(conf->data, "d");
    ck_assert_uint_eq(conf->threads, 3);
    ck_assert_uint_eq(conf->ping, 500);
    ck_assert_uint_eq(conf->max_clients, 7);
    ck_assert_int_eq(conf->log_level, LOG_DEBUG);
    ck_assert_int_eq(conf->log_format, LOG_JSON);
    ck_assert(!conf->get_publish);
    ck_assert(!conf->demo);
    ck_assert_str_eq(conf->journal, "sqlite:/x/y:z");
    ck_assert_uint_eq(conf->retention.count, 5);
    ck_assert_uint_eq(conf->retention.bytes, (size_t)2 << 30);
    ck_assert_uint_eq(conf->retention.age, UINT64_C(30) * 24 * 3600 * 1000);
    ck_assert_uint_eq(conf->max_topics, 100);
    ck_assert_uint_eq(conf->max_update, 65536);
    ck_assert_str_eq(conf->presence, "a,b");
    ck_assert_int_eq(conf->slow, CRIER_SLOW_DISCONNECT);
    ck_assert_uint_eq(conf->stall_timeout, 1000);
    ck_assert_str_eq(conf->jwks, "https://example.com/jwks");
    ck_assert_str_eq(conf->public_url, "https://example.com:8443/hub");
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_SUBSCRIBE);
    ck_assert_str_eq(conf->auth_cookie, "c");
    ck_assert(!conf->query_token);
    ck_assert_uint_eq(conf->publish_origins.count, 2);
    ck_assert_str_eq(conf->publish_origins.list[0], "https://a.example");
    ck_assert_str_eq(conf->publish_origins.list[1], "http://[::1]:81");
    ck_assert_uint_eq(conf->cors_origins.count, 1);
    ck_assert_str_eq(conf->cors_origins.list[0], "*");
    ck_assert_uint_eq(conf->trusted_proxies.count, 2);
    ck_assert_uint_eq(conf->trusted_proxies.list[0].bits, 96 + 8);
    ck_assert(conf->trusted_proxies.list[1].local);
    ck_assert_uint_eq(conf->max_clients_per_address, 9);
    ck_assert_uint_eq(conf->publish_rate.updates, 100);
    ck_assert_uint_eq(conf->publish_rate.bytes, 1024 * 1024);
    ck_assert_uint_eq(conf->connect_rate, 50);
    ck_assert_uint_eq(conf->limit_exempt.count, 1);
    ck_assert_uint_eq(conf->topic_count, 2);
    ck_assert_str_eq(conf->topics[0].topic, "a:b*");
    ck_assert_uint_eq(conf->topics[0].retention.count, 1);
    ck_assert_uint_eq(conf->topics[0].retention.bytes, 3072);
    ck_assert_uint_eq(conf->topics[0].retention.age, 2000);
    ck_assert_str_eq(conf->topics[1].topic, "c");
    ck_assert_uint_eq(conf->topics[1].retention.count, 0);
    ck_assert_uint_eq(conf->topics[1].retention.age, 3600000);
}

START_TEST(the_command_line)
{
    must_load(all_arguments);
    check_all();
}
END_TEST

START_TEST(the_file)
{
    write_file(all_in_file);
    must_load("--config FILE");
    check_all();
    ck_assert_int_eq(setenv("CRIERD_CONFIG", file, 1), 0);
    must_load("");
    check_all();
    must_load("--config /dev/null");
    ck_assert_uint_eq(conf->listen.count, 1);
    ck_assert_str_eq(conf->listen.list[0], "127.0.0.1:8080");
}
END_TEST

/* Sets the variable of the option NAME to VALUE; a list gets a line more. */
static void set_variable(const char *name, const char *value)
{
    char variable[OPTION_VARIABLE_SIZE], text[256];
    const char *old;

    option_variable(option_find(name), variable);
    old = getenv(variable);
    snprintf(text, sizeof text, "%s%s%s", old != NULL ? old : "",
             old != NULL ? "\n" : "", value);
    ck_assert_int_eq(setenv(variable, text, 1), 0);
}

/* Sets the variables of all options in ARGUMENTS, words between spaces. */
static void set_variables(const char *arguments)
{
    char *argv[96], *value;
    int argc = split_words(arguments, argv), i;

    for (i = 1; i < argc; i++) {
        value = strchr(argv[i], '=');
        if (value != NULL)
            *value++ = '\0';
        else
            value = argv[i + 1];
        set_variable(argv[i] + 2, value);
        i += value == argv[i + 1];
    }
}

START_TEST(the_environment)
{
    set_variables(all_arguments);
    must_load("");
    check_all();
}
END_TEST

START_TEST(precedence)
{
    write_file("threads = 3\nmax-topics = 300\nping-interval = 3s\n"
               "retain-topic = f:count=1\nretain-topic = g:count=1\n");
    must_load("--config FILE");
    ck_assert_uint_eq(conf->threads, 3);
    ck_assert_uint_eq(conf->topic_count, 2);
    setenv("CRIERD_THREADS", "4", 1);
    setenv("CRIERD_MAX_TOPICS", "400", 1);
    setenv("CRIERD_RETAIN_TOPIC", "e:count=1", 1);
    must_load("--config FILE");
    ck_assert_uint_eq(conf->threads, 4);
    ck_assert_uint_eq(conf->max_topics, 400);
    ck_assert_uint_eq(conf->ping, 3000);
    ck_assert_uint_eq(conf->topic_count, 1); /* a list is replaced as a whole */
    ck_assert_str_eq(conf->topics[0].topic, "e");
    must_load("--threads 5 --config FILE --threads 6 --retain-topic c:age=1 "
              "--retain-topic d:age=1");
    ck_assert_uint_eq(conf->threads, 6); /* the last one */
    ck_assert_uint_eq(conf->max_topics, 400);
    ck_assert_uint_eq(conf->topic_count, 2);
    ck_assert_str_eq(conf->topics[0].topic, "c");
}
END_TEST

START_TEST(the_demo_is_off_with_a_file)
{
    write_file("# nothing\n");
    must_load("--config FILE");
    ck_assert(!conf->demo);
    must_load("--config FILE --demo on");
    ck_assert(conf->demo);
    must_load("--demo off");
    ck_assert(!conf->demo);
}
END_TEST

/* The snapshot owns its texts. */
START_TEST(nothing_is_borrowed)
{
    char words[] = "--www", value[] = "first", *argv[] = {
        (char *)"crierd", words, value, NULL};
    struct conf *made;

    ck_assert_int_eq(load_conf(3, argv, collect, &made), LOAD_RUN);
    memset(value, 'x', sizeof value - 1);
    ck_assert_str_eq(made->www, "first");
    conf_unref(made);
}
END_TEST

static const struct {
    const char *arguments;
    enum log_level level;
} levels[] = {
    {"--log-level error", LOG_ERROR},     {"--log-level err", LOG_ERROR},
    {"--log-level warning", LOG_WARNING}, {"--log-level warn", LOG_WARNING},
    {"--log-level info", LOG_INFO},       {"--log-level debug", LOG_DEBUG},
    {"--log-level INFO", LOG_INFO},       {"--log-level Warn", LOG_WARNING},
};

#define LEVELS ((int)(sizeof levels / sizeof levels[0]))

#define SECRET "0123456789abcdef0123456789abcdef"

static const char credentials[] =
    "jwt-key = HS256:" SECRET "\n"
    "jwt-key = HS384:" SECRET SECRET "\n"
    "[key backend]\n"
    "algorithm = HS512\n"
    "secret = " SECRET SECRET "\n"
    "issuer = https://example.com\n"
    "use = publish\n"
    "[token door]\n"
    "hash = "
    "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n"
    "publish = a,b/{c,d},e*\n"
    "publish = f\n"
    "subscribe = *\n"
    "expires = 2030-01-31\n"
    "[token other]\n"
    "hash = "
    "sha256:0000000000000000000000000000000000000000000000000000000000000001\n"
    "admin = on\n";

static void check_credentials(void)
{
    const struct conf_token *token = &conf->tokens.list[0];

    ck_assert_uint_eq(conf->tokens.count, 2);
    ck_assert_str_eq(token->name, "door");
    ck_assert_uint_eq(token->hash[0], 0);
    ck_assert_uint_eq(token->hash[31], 0xff);
    ck_assert_uint_eq(token->publish.count, 4);
    ck_assert_str_eq(token->publish.list[1], "b/{c,d}");
    ck_assert_str_eq(token->publish.list[3], "f");
    ck_assert_uint_eq(token->subscribe.count, 1);
    ck_assert_int_eq(token->expires, 1896048000);
    ck_assert(!token->admin);
    ck_assert(token[1].admin);
    ck_assert_int_eq(token[1].expires, 0);
}

START_TEST(keys_and_tokens)
{
    const struct conf_key *entry;

    write_file(credentials);
    must_load("--config FILE");
    ck_assert(conf_has_keys(conf));
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_NONE);
    ck_assert_uint_eq(conf->jwt_keys.count, 2);
    ck_assert_int_eq(conf->jwt_keys.list[1].algorithm, JOSE_HS384);
    ck_assert_int_eq(conf->jwt_keys.list[0].use, CONF_USE_BOTH);
    ck_assert_uint_eq(conf->keys.count, 1);
    entry = &conf->keys.list[0];
    ck_assert_str_eq(entry->name, "backend");
    ck_assert_str_eq(entry->issuer, "https://example.com");
    ck_assert_int_eq(entry->use, CONF_USE_PUBLISH);
    ck_assert_int_eq(jose_key_alg(entry->keys.list[0]), JOSE_HS512);
    check_credentials();
    /* The list of the command line replaces that of the file, but not its sections. */
    must_load("--config FILE --jwt-key HS256:" SECRET "x --anonymous subscribe");
    ck_assert_uint_eq(conf->jwt_keys.count, 1);
    ck_assert_uint_eq(conf->keys.count, 1);
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_SUBSCRIBE);
}
END_TEST

/* Who may reach crierd from elsewhere is for the operator to say. */
START_TEST(an_exposed_address)
{
    static const char *const allowed[] = {
        "--listen 0.0.0.0:80 --anonymous all",
        "--listen 0.0.0.0:80 --anonymous none",
        "--listen 0.0.0.0:80 --jwt-key HS256:" SECRET,
        "--listen [::]:80 --jwks https://example.com/jwks",
        "--listen 127.1.2.3:80",
        "--listen [::1]:80",
        "--listen LocalHost:80",
        "--listen unix:/x --listen unix:/y,mode=666,group=z,proxy",
        "--listen 127.0.0.1:80,proxy --admin-listen unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    size_t i;

    for (i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        must_load(allowed[i]);
}
END_TEST

/* As people type them. */
START_TEST(log_levels)
{
    must_load(levels[_i].arguments);
    ck_assert_int_eq(conf->log_level, levels[_i].level);
}
END_TEST

/* ---- mistakes --------------------------------------------------------- */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const char number[] = "is not a number from ";

static const struct {
    const char *arguments;
    const char *mistake; /* in the line that is reported */
} refused[] = {
    {"--journal file", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal sqlite:", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal sqlite", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal memory:x", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal redis", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal rediss://:secret@x", "--journal: not memory or sqlite:PATH or redis://HOST"},
    {"--journal redis:h", "--journal: it must begin with redis://"},
    {"--journal valkey://:secret@h:0", "--journal: server: the port must be from 1 to 65535"},
    {"--journal redis+unix:/s?password=secret&y=1", "--journal: there is an unknown parameter"},
    {"--journal redis://h?password-file=/nonexistent/x", "password-file cannot be read"},
    {"--retain-count 0", "--retain-count '0' is not a number from 1 to "},
    {"--retain-bytes 0", "is not a size from 1 to 16384G, such as "},
    {"--retain-bytes 5X", "is not a size"},
    {"--retain-bytes 99999999999999999999", "is not a size"},
    {"--retain-bytes 17592186044416G", "is not a size"},
    {"--retain-age 0", "is not a time from 1ms to 36500d, such as "},
    {"--retain-age x", "is not a time"},
    {"--retain-topic a", "is not TOPIC:LIMITS, such as "},
    {"--retain-topic :count=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a:", "is not TOPIC:LIMITS"},
    {"--retain-topic a:count=0", "is not TOPIC:LIMITS"},
    {"--retain-topic a:size=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a:count=1,,age=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a,b:count=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a*b:count=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a\xff:count=1", "is not TOPIC:LIMITS"},
    {"--retain-topic a\x7f:count=1", "is not TOPIC:LIMITS"},
    {"--max-topics 99", "'99' is not a number from 100 to 10000000"},
    {"--max-update 16M", "'16M' is not a size from 1 to 15M"},
    {"--presence a,,b", "is not topics, such as a,log/*"},
    {"--presence $a", "is not topics"},
    {"--presence a\xff", "is not topics"},
    {"--presence a*b", "is not topics"},
    {"--presence a,", "is not topics"},
    {"--slow-client maybe", "'maybe' is not gap or disconnect"},
    {"--trusted-proxy 10.0.0.1/8", "'10.0.0.1/8' is not an address or a network"},
    {"--trusted-proxy 10.0.0.0/33", "is not an address or a network such as"},
    {"--trusted-proxy localhost", "is not an address or a network"},
    {"--limit-exempt fe80::1%lo", "is not an address or a network"},
    {"--publish-rate 0", "'0' is not UPDATES from 1 to 1000000 or UPDATES,SIZE"},
    {"--publish-rate 1,", "is not UPDATES"},
    {"--publish-rate ,1M", "is not UPDATES"},
    {"--connect-rate 0", "is not a number from 1 to 1000000"},
    {"--max-clients-per-address 0", "is not a number from 1 to 10000000"},
    {"--get-publish maybe", "'maybe' is not off or on"},
    {"--stall-timeout 0", "is not a time from 10ms to 1d"},
    {"--nope", "unrecognized option '--nope'\n"},
    {"--lisen x", "unrecognized option '--lisen'; did you mean '--listen'?"},
    {"--max_update 1M", "did you mean '--max-update'?"},
    {"--retain=1", "unrecognized option '--retain'"},
    {"-h", "unrecognized option '-h'"},
    {"extra", "unexpected argument 'extra'\n"},
    {"--help=me", "option '--help' takes no argument"},
    {"--threads", "option '--threads' requires an argument"},
    {"--threads 0", number},
    {"--threads 65", "'65' is not a number from 1 to 64"},
    {"--threads x", number},
    {"--threads -1", number},
    {"--max-clients -1", number},
    {"--ping-interval 0", "is not a time from 10ms to 1d"},
    {"--ping-interval 5ms", "is not a time"},
    {"--ping-interval 25h", "is not a time"},
    {"--ping-interval s", "is not a time"},
    {"--ping-interval 1.5s", "is not a time"},
    {"--stall-timeout 99999999999999999999", "is not a time"},
    {"--log-level loud", "is not error, warning, info or debug"},
    {"--log-format xml", "is not text or json"},
    {"--listen nonsense", "is not HOST:PORT, such as "},
    {"--listen 0.0.0.0:80", "0.0.0.0:80 can be reached from elsewhere"},
    {"--listen [::]:80", "say --anonymous all if everybody may publish"},
    {"--listen example.com:80", "can be reached from elsewhere"},
    {"--listen 128.0.0.1:80 --demo on", "can be reached from elsewhere"},
    {"--listen 127.0.0.1:80 --listen 128.0.0.1:80,proxy",
     "128.0.0.1:80,proxy can be reached from elsewhere"},
    {"--admin-listen 0.0.0.0:80", "0.0.0.0:80 can be reached from elsewhere"},
    {"--listen 127.0.0.1:80,", "is not HOST:PORT or HOST:PORT,proxy: "},
    {"--listen 127.0.0.1:80,Proxy", "is not HOST:PORT or HOST:PORT,proxy: "},
    {"--listen 127.0.0.1:80,proxy,proxy", "HOST:PORT,proxy: mode and group are"},
    {"--listen 127.0.0.1:80,mode=0660", "mode and group are for unix:PATH"},
    {"--listen unix:x", "is not unix:PATH with a path from / on"},
    {"--listen unix:@x", "is not unix:PATH with a path from / on"},
    {"--listen unix:", "is not unix:PATH with a path from / on"},
    {"--listen unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "of at most 107 bytes"},
    {"--listen unix:/x,mode=999", "with a mode in octal up to 0777"},
    {"--listen unix:/x,mode=1777", "with a mode in octal up to 0777"},
    {"--listen unix:/x,mode=60", "with a mode in octal up to 0777"},
    {"--listen unix:/x,mode=-660", "with a mode in octal up to 0777"},
    {"--listen unix:/x,mode=0660,mode=0600", "with at most one each of ,mode="},
    {"--listen unix:/x,group=", "with the name of a group"},
    {"--listen unix:/x,user=y", "with at most one each of ,mode="},
    {"--tls-listen 80", "--tls-listen '80' is not HOST:PORT"},
    {"--jwt-key x", "--jwt-key: this is not ALG:SECRET or ALG:@FILE, where ALG is"},
    {"--jwt-key none:x", "--jwt-key: this is not ALG:SECRET or"},
    {"--jwt-key HS256:short", "--jwt-key: a secret for HS256 has at least 32 bytes"},
    {"--jwt-key HS256:@/nowhere", "--jwt-key: /nowhere: No such"},
    {"--jwt-key RS256:secret", "--jwt-key: RS256 takes a key, not a secret"},
    {"--jwt-key RS256:@/dev/null", "--jwt-key: /dev/null: neither a JWK nor"},
    {"--jwks /nowhere", "--jwks: /nowhere: No such"},
    {"--jwks /dev/null", "--jwks: /dev/null: not JSON"},
    {"--jwks http://example.com/", "--jwks: this is not an https:// URL"},
    {"--jwks https://example.com/a?b", "--jwks: this is not an https:// URL"},
    {"--jwks ftp://localhost/a", "--jwks: this is not an https:// URL"},
    {"--public-url example.com", "is not a URL such as https://example.com"},
    {"--public-url https://example.com/", "is not a URL such as"},
    {"--public-url https://u@example.com", "is not a URL such as"},
    {"--public-url https://example.com:0", "is not a URL such as"},
    {"--public-url https://", "is not a URL such as"},
    {"--public-url https://example.com?a", "is not a URL such as"},
    {"--anonymous some", "is not none, subscribe, publish or all"},
    {"--auth-cookie a=b", "is not the name of a cookie"},
    {"--publish-origin *", "is not an origin as browsers send it"},
    {"--publish-origin https://a.example/", "is not an origin"},
    {"--publish-origin https://A.example", "is not an origin"},
    {"--publish-origin https://a.example:443", "is not an origin"},
    {"--cors-origin null", "is not an origin as browsers send it"},
    {"--cors-origin a.example", "is not an origin"},
    {"--www=", "--www '' is not a text that is not empty"},
    {"--config /nowhere/conf", "/nowhere/conf: No such file or directory"},
    {"--config /", "/: not a regular file"},
};

#define REFUSED ((int)(sizeof refused / sizeof refused[0]))

START_TEST(mistakes_on_the_command_line)
{
    ck_assert_int_eq(load(refused[_i].arguments), LOAD_BAD);
    ck_assert_msg(strstr(mistakes, refused[_i].mistake) != NULL, "%s",
                  mistakes);
}
END_TEST

/* A pipe that nobody writes to would hold crierd up, at its start and on each reload. */
static const char *const piped[] = {"--config pipe", "--jwt-key HS256:@pipe",
                                    "--jwks pipe", "--tls-cert pipe --tls-key key.pem",
                                    "--tls-cert cert.pem --tls-key pipe"};

#define PIPED ((int)(sizeof piped / sizeof piped[0]))

START_TEST(a_pipe_is_refused)
{
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    ck_assert_int_eq(load(piped[_i]), LOAD_BAD);
    ck_assert_msg(strstr(mistakes, "pipe: not a regular file\n") != NULL, "%s", mistakes);
}
END_TEST

static const struct {
    const char *text;
    const char *mistake; /* all that is reported, FILE in the place of the file */
} broken[] = {
    {"\nthreads = 0\n",
     "FILE:2: threads '0' is not a number from 1 to 64\n"},
    {"threads = 2\n\nthreads = 3\n",
     "FILE:3: threads '3' is given twice; line 1 has it already\n"},
    {"retain-cuont = 3\n",
     "FILE:1: unknown key 'retain-cuont'; did you mean 'retain-count'?\n"},
    {"Listen = 127.0.0.1:0\n",
     "FILE:1: unknown key 'Listen'; did you mean 'listen'?\n"},
    {"colour = red\n", "FILE:1: unknown key 'colour'\n"},
    {"# x\nthreads\n",
     "FILE:2: the line is not NAME = VALUE\n"},
    {"[retain-topic\n",
     "FILE:1: the line is not NAME = VALUE\n"},
    {"config = other\n",
     "FILE:1: 'config' is for the command line, not for a file\n"},
    {"threads = 0\nlog-level = loud\nx = y\n",
     "FILE:1: threads '0' is not a number from 1 to 64\n"
     "FILE:2: log-level 'loud' is not error, warning, info or debug\n"
     "FILE:3: unknown key 'x'\n"},
    {"[retain-topic]\ncount = 1\n",
     "FILE:1: [retain-topic] without a topic\n"},
    {"[retain-topic]\ntopic = a\n\n[retain-topic]\ntopic = b\ncount = 1\n",
     "FILE:1: [retain-topic] without a count, bytes or age\n"},
    {"[retain-topic]\ntopic = a*b\ncount = 1\n",
     "FILE:2: topic 'a*b' is not a topic, or the beginning of topics and '*'\n"
     "FILE:1: [retain-topic] without a topic\n"},
    {"[retain-topic]\ntopic = a\nbytes = many\ncount = 1\n",
     "FILE:3: bytes 'many' is not a size, such as 4000, 64K, 16M or 2G\n"},
    {"[retain-topic]\ntopic = a\nage = 0\ncount = x\nbytes = 1\n",
     "FILE:3: age '0' is not a time, such as 90s, 12h or 30d\n"
     "FILE:4: count 'x' is not a number from 1 to 1000000000000\n"},
    {"[retain-topic]\ntopic = a\ncount = 1\nthreads = 2\n",
     "FILE:4: [retain-topic] has no key 'threads'; it has topic, count, bytes "
     "and age\n"},
    {"[server]\nlisten = 127.0.0.1:0\n",
     "FILE:2: 'listen' is in an unknown section [server]; there are "
     "[retain-topic], [key NAME] and [token NAME]\n"},
    {"[key]\nalgorithm = HS256\n",
     "FILE:2: 'algorithm' is in an unknown section [key]; there are "
     "[retain-topic], [key NAME] and [token NAME]\n"},
    {"[key a]\nalgorithm = none\n",
     "FILE:2: algorithm 'none' is not HS256, HS384, HS512, RS256, RS384, RS512, "
     "PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA\n"
     "FILE:1: [key a] without an algorithm\n"},
    {"[key a]\nalgorithm = HS256\n",
     "FILE:1: [key a] with one of secret and file, not both or none\n"},
    {"[key a]\nalgorithm = HS256\nsecret = geheim\n",
     "FILE:1: [key a] a secret for HS256 has at least 32 bytes (RFC 7518)\n"},
    {"[key a]\nalgorithm = ES256\nfile = /nowhere\n",
     "FILE:1: [key a] /nowhere: No such file or directory\n"},
    {"[key a]\nalgorithm = HS256\nsecret = geheim\nsecret = geheim\nuse = x\n",
     "FILE:4: secret is not given once\n"
     "FILE:5: use 'x' is not publish, subscribe or both\n"
     "FILE:1: [key a] a secret for HS256 has at least 32 bytes (RFC 7518)\n"},
    {"[key a]\nkid = b\n",
     "FILE:2: [key a] has no key 'kid'; it has algorithm, secret, file, issuer and "
     "use\n"
     "FILE:1: [key a] without an algorithm\n"},
    {"[token a]\nhash = geheim\n",
     "FILE:2: hash is not sha256: and the 64 hexadecimal digits of the token's "
     "hash\n"
     "FILE:1: [token a] without a hash\n"},
    {"[token a]\nhash = sha256:" ZEROS "\npublish = a,,b\nexpires = 2027-02-30\n"
     "admin = yes\n",
     "FILE:3: publish 'a,,b' is not a list of selectors, such as "
     "a,log/*,user/{id}\n"
     "FILE:4: expires '2027-02-30' is not a date such as 2027-01-31 or "
     "2027-01-31T23:59:59Z\n"
     "FILE:5: admin 'yes' is not on or off\n"},
    {"[token a]\nhash = sha256:" ZEROS "\n[token b]\nhash = sha256:" ZEROS "\n"
     "[token a]\nhash = sha256:" ZEROS "\n",
     "FILE:3: [token b] has the hash of another token\n"
     "FILE:5: [token a] is given twice\n"},
    {"www = \033[31m\n\nthreads = \a\n",
     "FILE:3: threads '?' is not a number from 1 to 64\n"},
};

#define BROKEN ((int)(sizeof broken / sizeof broken[0]))

START_TEST(mistakes_in_the_file)
{
    const char *rest = broken[_i].mistake, *end;
    char wanted[1024] = "";
    size_t length = 0;

    for (; (end = strstr(rest, "FILE")) != NULL; rest = end + 4)
        length += (size_t)snprintf(wanted + length, sizeof wanted - length,
                                   "%.*s%s", (int)(end - rest), rest, file);
    snprintf(wanted + length, sizeof wanted - length, "%s", rest);
    write_file(broken[_i].text);
    ck_assert_int_eq(load("--config FILE"), LOAD_BAD);
    ck_assert_str_eq(mistakes, wanted);
    /* Being overridden is no excuse. */
    ck_assert_int_eq(load("--config FILE --threads 2"), LOAD_BAD);
}
END_TEST

START_TEST(a_long_line)
{
    static char text[9000] = "\nwww = ";
    char wanted[SCRATCH_SIZE + 80];
    size_t length = strlen(text);

    memset(text + length, 'x', 8191 - (length - 1));
    write_file(text);
    must_load("--config FILE");
    ck_assert_uint_eq(strlen(conf->www), 8191 - strlen("www = "));
    strcat(text, "x\nthreads = 3\n");
    snprintf(wanted, sizeof wanted, "%s:2: the line is too long\n", file);
    write_file(text);
    ck_assert_int_eq(load("--config FILE"), LOAD_BAD);
    ck_assert_str_eq(mistakes, wanted);
}
END_TEST

START_TEST(mistakes_in_the_environment)
{
    setenv("CRIERD_THREADS", "0", 1);
    ck_assert_int_eq(load(""), LOAD_BAD);
    ck_assert_str_eq(mistakes,
                     "CRIERD_THREADS '0' is not a number from 1 to 64\n");
    ck_assert_int_eq(load("--threads 2"), LOAD_BAD);
    unsetenv("CRIERD_THREADS");
    setenv("CRIERD_RETAIN_CUONT", "5", 1);
    ck_assert_int_eq(load(""), LOAD_BAD);
    ck_assert_str_eq(mistakes, "unknown variable CRIERD_RETAIN_CUONT; did you "
                               "mean CRIERD_RETAIN_COUNT?\n");
    unsetenv("CRIERD_RETAIN_CUONT");
    setenv("CRIERD_CONFIG", "/nowhere/conf", 1);
    ck_assert_int_eq(load(""), LOAD_BAD);
}
END_TEST

/* What other programs set. */
START_TEST(foreign_variables)
{
    setenv("CRIERD_VERSION", "1.2", 1);
    setenv("CRIERD_SERVICE_HOST", "10.0.0.1", 1);
    setenv("CRIERD_PORT", "tcp://10.0.0.1:80", 1);
    setenv("CRIERD_PORT_8080_TCP_ADDR", "10.0.0.1", 1);
    must_load("");
}
END_TEST

START_TEST(a_list_has_an_end)
{
    char text[CONF_TOPICS_MAX * 32 + 64] = "", *at = text;
    int i;

    for (i = 0; i < CONF_TOPICS_MAX; i++)
        at += sprintf(at, "retain-topic = t%d:count=1\n", i);
    write_file(text);
    must_load("--config FILE");
    ck_assert_uint_eq(conf->topic_count, CONF_TOPICS_MAX);
    at += sprintf(at, "retain-topic = u:count=1\n");
    write_file(text);
    ck_assert_int_eq(load("--config FILE"), LOAD_BAD);
    ck_assert_ptr_nonnull(strstr(mistakes, "is more than the 64 that are"));
    sprintf(at - 25, "[retain-topic]\ntopic = u\ncount = 1\n");
    write_file(text);
    ck_assert_int_eq(load("--config FILE"), LOAD_BAD);
    ck_assert_ptr_nonnull(strstr(mistakes, ":65: [retain-topic] more than 64"));
}
END_TEST

START_TEST(not_too_many_mistakes)
{
    char text[4096] = "", *at = text;
    int i, lines = 0;

    for (i = 0; i < 100; i++)
        at += sprintf(at, "key%d = 1\n", i);
    write_file(text);
    ck_assert_int_eq(load("--config FILE"), LOAD_BAD);
    for (at = mistakes; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_int_eq(lines, 20);
}
END_TEST

/* ---- dumps ------------------------------------------------------------ */

/* Dumps the configuration of ARGUMENTS to the scratch file. */
static void dump(const char *arguments)
{
    FILE *to;

    must_load(arguments);
    to = fopen(file, "w");
    ck_assert_ptr_nonnull(to);
    ck_assert(print_dump(conf, to));
    ck_assert_int_eq(fclose(to), 0);
}

static char *read_file(void)
{
    static char text[8192];
    FILE *from = fopen(file, "r");
    size_t length = fread(text, 1, sizeof text - 1, from);

    fclose(from);
    text[length] = '\0';
    return text;
}

static const char *const dumped[] = {
    "--journal redis://h:6380/2?name=a&wait=1&cache=1M",
    "",
    all_arguments,
    "--retain-age 1500ms --retain-bytes 1025 --presence *",
    "--retain-topic x;y:count=1 --retain-topic ];:bytes=7 --www a;b#c",
};

#define DUMPED ((int)(sizeof dumped / sizeof dumped[0]))

/* Every option has the same value again. */
START_TEST(what_is_dumped_is_read_back)
{
    struct conf *before;
    char *a, *b;
    size_t i;

    dump(dumped[_i]);
    before = conf_ref(conf);
    must_load("--config FILE");
    for (i = 0; i < option_count; i++) {
        a = option_text(before, &option_rows[i]);
        b = option_text(conf, &option_rows[i]);
        ck_assert_str_eq(a, b);
        free(a);
        free(b);
    }
    conf_unref(before);
}
END_TEST

START_TEST(a_dump_tells_origins)
{
    char other[SCRATCH_SIZE + 8], line[SCRATCH_SIZE + 64];
    const char *text;

    write_file("# one\nmax-topics = 300\n");
    snprintf(other, sizeof other, "%s/other", scratch);
    ck_assert_int_eq(rename(file, other), 0);
    setenv("CRIERD_CONFIG", other, 1);
    setenv("CRIERD_PING_INTERVAL", "3s", 1);
    dump("--threads 3");
    text = read_file();
    snprintf(line, sizeof line, "\n# %s:2\nmax-topics = 300\n", other);
    ck_assert_ptr_nonnull(strstr(text, line));
    ck_assert_ptr_nonnull(
        strstr(text, "\n# CRIERD_PING_INTERVAL\nping-interval = 3s\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n# --threads\nthreads = 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n# default\nlog-level = info\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "\n# default: for ever\n#retain-age =\n"));
    unlink(other);
}
END_TEST

/* What a file cannot hold is not written wrongly. */
START_TEST(a_dump_of_what_no_file_can_hold)
{
    char *argv[] = {(char *)"crierd", (char *)"--www", (char *)"a ;b",
                    (char *)"--data", (char *)" x", NULL};
    FILE *to = fopen(file, "w");

    ck_assert_int_eq(load_conf(5, argv, collect, &conf), LOAD_RUN);
    ck_assert(print_dump(conf, to));
    fclose(to);
    ck_assert_ptr_nonnull(
        strstr(read_file(), "# cannot be written in a file: www\n"));
    must_load("--config FILE");
    ck_assert_str_ne(conf->www, "a");
    ck_assert_str_ne(conf->data, "x");
}
END_TEST

/* Of a URL with a password a dump has the server alone, as a comment. */
START_TEST(a_dump_hides_passwords)
{
    static const char *const urls[] = {
        "--journal redis://user:" SECRET "@h:6380/2",
        "--journal valkey://h:6380/2?wait=1&password=" SECRET,
        "--journal redis://main?db=2&sentinel=h:6380&sentinel-password=" SECRET,
    };

    const char *text;
    json_t *options;
    char *shown;

    dump(urls[_i]);
    text = read_file();
    ck_assert_ptr_null(strstr(text, SECRET));
    ck_assert_ptr_nonnull(strstr(text, "\n# journal = redis://"));
    ck_assert_ptr_null(strstr(text, "\njournal"));
    options = describe_options(conf);
    shown = json_dumps(options, JSON_COMPACT);
    json_decref(options);
    ck_assert_ptr_nonnull(shown);
    ck_assert_ptr_null(strstr(shown, SECRET));
    ck_assert_ptr_nonnull(strstr(shown, "{\"name\":\"journal\",\"value\":\"redis://"));
    ck_assert_ptr_nonnull(strstr(shown, ",\"origin\":\"command line\",\"secret\":true}"));
    free(shown);
}
END_TEST

/* A dump has all of a token but nothing of a secret, and what is left can be read. */
START_TEST(a_dump_hides_secrets)
{
    const char *text;

    write_file(credentials);
    must_load("--config FILE --jwt-key HS256:" SECRET);
    dump("--config FILE --jwt-key HS256:" SECRET);
    text = read_file();
    ck_assert_ptr_null(strstr(text, "0123456789"));
    ck_assert_ptr_nonnull(strstr(text, "[key backend]\nalgorithm = HS512\n# secret"));
    ck_assert_ptr_nonnull(strstr(text, "\n# jwt-key = HS256:... is a secret"));
    write_file(strstr(text, "[token door]"));
    must_load("--config FILE");
    check_credentials();
}
END_TEST

/* ---- documents -------------------------------------------------------- */

#define DOCUMENT_MAX ((size_t)256 * 1024)

/* Reads the file NAME of the documentation into a new text. */
static char *read_document(const char *name)
{
    char path[512], *text = calloc(1, DOCUMENT_MAX + 1);
    FILE *from;

    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(getenv("DOC"));
    snprintf(path, sizeof path, "%s/%s", getenv("DOC"), name);
    from = fopen(path, "r");
    ck_assert_ptr_nonnull(from);
    ck_assert_uint_lt(fread(text, 1, DOCUMENT_MAX, from), DOCUMENT_MAX);
    fclose(from);
    return text;
}

/* Writes the lines of TEXT to the scratch file, without the '#' where a letter or a '['
 * comes right behind it, and without the directory of the certificate and its key. */
static void write_uncommented(char *text)
{
    FILE *to = fopen(file, "w");
    char *line, *directory;

    ck_assert_ptr_nonnull(to);
    while ((line = strsep(&text, "\n")) != NULL) {
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\0')
            line++;
        directory = strstr(line, "/etc/ssl/events/");
        if (directory != NULL)
            fprintf(to, "%.*s%s\n", (int)(directory - line), line,
                    strrchr(directory, '/') + 1);
        else
            fprintf(to, "%s\n", line);
    }
    fclose(to);
}

/* The example changes nothing; and without its comments it has every option, with the
 * default where there is one that is a value. */
START_TEST(the_example)
{
    const struct option_row *row;
    char *text = read_document("crierd.conf.example"), *value;
    size_t i;

    write_file(text);
    must_load("--config FILE");
    for (i = 0; i < option_count; i++)
        ck_assert_int_eq(conf->sources[i].origin, CONF_DEFAULT);
    write_uncommented(text);
    free(text);
    must_load("--config FILE");
    for (i = 0; i < option_count; i++) {
        row = &option_rows[i];
        if (row->type == OPTION_ACTION)
            continue;
        ck_assert_msg(conf->sources[i].origin == CONF_FILE, "%s", row->name);
        value = option_text(conf, row);
        if (row->preset != NULL && strchr(row->preset, '/') == NULL)
            ck_assert_str_eq(value, row->preset);
        free(value);
    }
}
END_TEST

/* The part of the manual page TEXT from the heading FROM to the heading TO. */
static char *find_part(char *text, const char *from, const char *to)
{
    char *begin = strstr(text, from), *end;

    ck_assert_ptr_nonnull(begin);
    end = strstr(begin, to);
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    return begin;
}

/* Takes out of TEXT what is only for roff: "\\-" becomes '-', and the rest of its marks
 * a space or nothing, so that names and values can be found. */
static void strip_roff(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && text[1] == '-')
            continue;
        if (*text == '"')
            continue;
        *to++ = *text;
    }
    *to = '\0';
}

/* Whether the line that AT is in comes behind roff's mark for an item. */
static bool is_item(const char *part, const char *at)
{
    while (at > part && at[-1] != '\n')
        at--;
    return at - part > 4 && (strncmp(at - 4, ".TP\n", 4) == 0 ||
                             strncmp(at - 4, ".TQ\n", 4) == 0);
}

/* Finds the item of --NAME in PART. */
static const char *find_item(const char *part, const char *name)
{
    const char *at = part;
    char option[64];

    snprintf(option, sizeof option, " --%s", name);
    while ((at = strstr(at, option)) != NULL) {
        at += strlen(option);
        if (strchr(" \n", *at) != NULL && is_item(part, at))
            return at;
    }
    return NULL;
}

/* README.md has a whole configuration with a key; only the secret is in another file here. */
START_TEST(readme_shows_a_configuration)
{
    static const char secret[] = "application.key";
    char *readme = read_document("../README.md"), *block, *end, *secret_at;
    char text[2048], name[SCRATCH_SIZE + 8];
    FILE *made;

    block = strstr(readme, "```ini\nlisten = 127.0.0.1:8080\njournal");
    while (block != NULL && (end = strstr(block + 6, "```")) != NULL &&
           memmem(block, (size_t)(end - block), "[key ", 5) == NULL)
        block = strstr(end, "```ini\n");
    ck_assert(block != NULL && end != NULL);
    *end = '\0';
    block += strlen("```ini\n");
    secret_at = strstr(block, secret);
    ck_assert_ptr_nonnull(secret_at);
    snprintf(name, sizeof name, "%s/key", scratch);
    made = fopen(name, "w");
    ck_assert(made != NULL && fputs(SECRET, made) >= 0 && fclose(made) == 0);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(secret_at - block), block, name,
             secret_at + strlen(secret));
    write_file(text);
    must_load("--config FILE");
    ck_assert_uint_eq(conf->keys.count, 1);
    ck_assert_int_eq(conf->anonymous, CONF_ANONYMOUS_SUBSCRIBE);
    unlink(name);
    free(readme);
}
END_TEST

/* The manual page has an item for each option, in the order of the table, with its
 * default; and no item for anything else. */
START_TEST(the_manual_page)
{
    char *text = read_document("crierd.8"), *part, wanted[64];
    const char *at, *last = NULL, *item;
    size_t i, items = 0;

    part = find_part(text, ".SH OPTIONS", ".SH CONFIGURATION");
    strip_roff(part);
    for (i = 0; i < option_count; i++) {
        item = find_item(part, option_rows[i].name);
        ck_assert_msg(item != NULL, "--%s is missing", option_rows[i].name);
        ck_assert_msg(last == NULL || item > last, "--%s is out of order",
                      option_rows[i].name);
        last = item;
        if (option_rows[i].preset == NULL ||
            strchr(option_rows[i].preset, '/') != NULL)
            continue;
        ck_assert_msg(strstr(item, option_rows[i].preset) != NULL,
                      "--%s without its default", option_rows[i].name);
    }
    for (at = part; (at = strstr(at, " --")) != NULL; at += 3) {
        snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(at + 3, " \n,."),
                 at + 3);
        ck_assert_msg(option_find(wanted) != NULL, "no option --%s", wanted);
        items++;
    }
    ck_assert_uint_ge(items, option_count);
    free(text);
}
END_TEST

/* --help is of the table, too, and fits a terminal. */
START_TEST(help)
{
    char *text = NULL, option[64], *line, *rest;
    size_t size, i;
    FILE *to = open_memstream(&text, &size);

    print_help(to);
    fclose(to);
    for (i = 0; i < option_count; i++) {
        snprintf(option, sizeof option, "\n  --%s%s", option_rows[i].name,
                 option_rows[i].argument != NULL ? " " : "");
        ck_assert_ptr_nonnull(strstr(text, option));
    }
    for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
        ck_assert_uint_le(strlen(line), 79);
    free(text);
}
END_TEST

/* ---- reload ----------------------------------------------------------- */

static char changes[1024];

static void note_change(const char *name, bool restart)
{
    strcat(changes, restart ? "!" : "");
    strcat(changes, name);
    strcat(changes, " ");
}

static enum load_result reload(struct conf **made)
{
    char *argv[] = {(char *)"crierd", (char *)"--config", file, NULL};

    changes[0] = mistakes[0] = '\0';
    return load_again(3, argv, collect, note_change, conf, made);
}

START_TEST(a_reload_keeps_what_needs_a_restart)
{
    struct conf *made = NULL;

    write_file("threads = 3\nwww = w\nping-interval = 1s\n"
               "[retain-topic]\ntopic = a\ncount = 1\n");
    must_load("--config FILE");
    ck_assert_int_eq(reload(&made), LOAD_RUN);
    ck_assert_str_eq(changes, "");
    conf_unref(made);
    write_file("threads = 4\nwww = v\nping-interval = 2s\ndemo = on\n"
               "max-topics = 200\n[retain-topic]\ntopic = a\ncount = 2\n");
    ck_assert_int_eq(reload(&made), LOAD_RUN);
    ck_assert_str_eq(changes, "!threads !www ping-interval retain-topic "
                              "max-topics !demo ");
    ck_assert_uint_eq(made->threads, 3);
    ck_assert_str_eq(made->www, "w");
    ck_assert(!made->demo);
    ck_assert_uint_eq(made->ping, 2000);
    ck_assert_uint_eq(made->max_topics, 200);
    ck_assert_uint_eq(made->topics[0].retention.count, 2);
    conf_unref(made);
    write_file("threads = 4\nping-interval = 2\nslow-client = x\n");
    ck_assert_int_eq(reload(&made), LOAD_BAD);
    ck_assert_ptr_nonnull(strstr(mistakes, ":3: slow-client 'x' is not gap"));
}
END_TEST

/* ---- numbers with units ----------------------------------------------- */

START_TEST(times)
{
    uint64_t ms = 0;

    ck_assert(value_time("10ms", &ms) && ms == 10);
    ck_assert(value_time("2", &ms) && ms == 2000);
    ck_assert(value_time("90s", &ms) && ms == 90000);
    ck_assert(value_time("10m", &ms) && ms == 600000);
    ck_assert(value_time("24h", &ms) && ms == 86400000);
    ck_assert(value_time("2d", &ms) && ms == 172800000);
    ck_assert(!value_time("", &ms));
    ck_assert(!value_time("ms", &ms));
    ck_assert(!value_time("1.5s", &ms));
    ck_assert(!value_time("-1s", &ms));
    ck_assert(!value_time("36501d", &ms));
}
END_TEST

/* Writing and reading are each other's inverse. */
START_TEST(units)
{
    static const uint64_t values[] = {1,    7,     1000,     1024,
                                      1500, 60000, 86400000, 1 << 20};
    char text[VALUE_SIZE];
    uint64_t time;
    size_t i, size;

    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        value_print_time(text, values[i]);
        ck_assert(value_time(text, &time) && time == values[i]);
        value_print_size(text, values[i]);
        ck_assert(value_size(text, &size) && size == values[i]);
    }
    value_print_time(text, 90000);
    ck_assert_str_eq(text, "90s");
    value_print_size(text, 3 << 20);
    ck_assert_str_eq(text, "3M");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conf");
    TCase *c = add_case(s, "conf");

    tcase_add_checked_fixture(c, make_scratch, remove_scratch);
    tcase_add_test(c, defaults);
    tcase_add_test(c, the_command_line);
    tcase_add_test(c, the_file);
    tcase_add_test(c, the_environment);
    tcase_add_test(c, precedence);
    tcase_add_test(c, the_demo_is_off_with_a_file);
    tcase_add_test(c, nothing_is_borrowed);
    tcase_add_loop_test(c, log_levels, 0, LEVELS);
    tcase_add_loop_test(c, mistakes_on_the_command_line, 0, REFUSED);
    tcase_add_loop_test(c, a_pipe_is_refused, 0, PIPED);
    tcase_add_loop_test(c, mistakes_in_the_file, 0, BROKEN);
    tcase_add_test(c, a_long_line);
    tcase_add_test(c, mistakes_in_the_environment);
    tcase_add_test(c, foreign_variables);
    tcase_add_test(c, a_list_has_an_end);
    tcase_add_test(c, not_too_many_mistakes);
    tcase_add_loop_test(c, what_is_dumped_is_read_back, 0, DUMPED);
    tcase_add_test(c, a_dump_tells_origins);
    tcase_add_test(c, a_dump_hides_secrets);
    tcase_add_loop_test(c, a_dump_hides_passwords, 0, 3);
    tcase_add_test(c, keys_and_tokens);
    tcase_add_test(c, an_exposed_address);
    tcase_add_test(c, a_dump_of_what_no_file_can_hold);
    tcase_add_test(c, the_example);
    tcase_add_test(c, readme_shows_a_configuration);
    tcase_add_test(c, the_manual_page);
    tcase_add_test(c, help);
    tcase_add_test(c, a_reload_keeps_what_needs_a_restart);
    tcase_add_test(c, times);
    tcase_add_test(c, units);
    return s;
}

RUN_SUITE(suite)
