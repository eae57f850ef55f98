/* The URL of a journal in Redis: what it may say, and how its mistakes are named. */
#include <config.h>

#include "libcrier/journal/redis/redis_url.h"
#include "support/runner.h"

#include <crier.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crier__redis_url *parse(const char *text)
{
    struct crier__redis_url *url;
    char reason[256];

    if (crier__redis_url_parse(text, &url, reason) != 0)
        ck_abort_msg("%s: %s", text, reason);
    return url;
}

START_TEST(defaults_are_there)
{
    struct crier__redis_url *url = parse("redis://h");

    ck_assert_str_eq(url->server.host, "h");
    ck_assert_uint_eq(url->server.port, 6379);
    ck_assert_str_eq(url->name, "crier");
    ck_assert_uint_eq(url->timeout, 5000);
    ck_assert_uint_eq(url->cache, 64 * 1024 * 1024);
    ck_assert_uint_eq(url->wait, 0);
    ck_assert_ptr_null(url->password);
    ck_assert_str_eq(url->shown, "redis://h:6379/0?name=crier");
    crier__redis_url_free(url);
}
END_TEST

START_TEST(all_parts_are_read)
{
    struct crier__redis_url *url =
        parse("valkey://me:p%40%2Fss@[::1]:7000/3?name=a.b&wait=2&timeout=250ms&cache=2k");

    ck_assert_str_eq(url->server.host, "::1");
    ck_assert_uint_eq(url->server.port, 7000);
    ck_assert_uint_eq(url->db, 3);
    ck_assert_str_eq(url->user, "me");
    ck_assert_str_eq(url->password, "p@/ss");
    ck_assert_uint_eq(url->wait, 2);
    ck_assert_uint_eq(url->timeout, 250);
    ck_assert_uint_eq(url->cache, 2048);
    ck_assert_str_eq(url->shown, "redis://[::1]:7000/3?name=a.b");
    crier__redis_url_free(url);
}
END_TEST

START_TEST(sentinels_are_read)
{
    struct crier__redis_url *url =
        parse("redis://main?sentinel=a,[::2]:7,b:8&sentinel-password=s");

    ck_assert_str_eq(url->server.host, "main");
    ck_assert_uint_eq(url->sentinel_count, 3);
    ck_assert_uint_eq(url->sentinels[0].port, 26379);
    ck_assert_str_eq(url->sentinels[1].host, "::2");
    ck_assert_uint_eq(url->sentinels[2].port, 8);
    ck_assert_str_eq(url->sentinel_password, "s");
    crier__redis_url_free(url);
}
END_TEST

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

START_TEST(sockets_are_read)
{
    struct crier__redis_url *url = parse("redis+unix:/a%20b?user=u&password=p&db=1");

    ck_assert_str_eq(url->server.host, "/a b");
    ck_assert_str_eq(url->user, "u");
    ck_assert_uint_eq(url->db, 1);
    ck_assert_str_eq(url->shown, "redis+unix:/a b?db=1&name=crier");
    crier__redis_url_free(url);
    url = parse("redis+unix:/" HUNDRED "123456");
    crier__redis_url_free(url);
}
END_TEST

/* In each of them, "secret" is a part of a password. */
static const struct {
    const char *text, *reason;
} mistakes[] = {
    {"", "it must begin with"},
    {"http://h", "it must begin with"},
    {"redis://", "name of a host is missing"},
    {"redis://:secret@", "name of a host is missing"},
    {"redis://:secret@h:0", "from 1 to 65535"},
    {"redis://:secret@h:65536", "from 1 to 65535"},
    {"redis://:secret@h:70000000", "from 1 to 65535"},
    {"redis://:secret@[::1", "']' is missing"},
    {"redis://:secret%4@h", "two hexadecimal digits"},
    {"redis://:secret%00@h", "control character"},
    {"redis://:a?secret@h", ""},
    {"redis://:a?b&secret@h", ""},
    {"redis://:a?secret=b@h", ""},
    {"redis://:a/secret@h", ""},
    {"redis://:a#secret@h:b", ""},
    {"redis://h?password=a&secret", "unknown parameter"},
    {"redis://h?password=a&secret=1", "unknown parameter"},
    {"redis://h?password=secret&password=secret", "password is given twice"},
    {"redis://:secret@h?password=secret", "password is given twice"},
    {"redis://h?password", "password has no value"},
    {"redis://u@h", "user needs a password"},
    {"redis://h?sentinel-password=secret", "needs sentinel"},
    {"redis://h:1?sentinel=a&password=secret", "has no port"},
    {"redis://:a@secret@h", "written %40"},
    {"redis+unix://:secret@/s", "are parameters"},
    {"redis+unix:/s?sentinel=a", "cannot be combined"},
    {"redis+unix:/" HUNDRED "1234567?password=secret", "path: at most 107 bytes"},
    {"redis://h?sentinel=a,b,c,d,e,f,g,h,i", "at most 8"},
    {"redis://h?sentinel=a,,b", "host is missing"},
    {"redis://h?password=secret&wait=65", "wait must be"},
    {"redis://h?password=secret&wait=-1", "wait must be"},
    {"redis://h/x", "db must be"},
    {"redis://h/1?db=1", "db is given twice"},
    {"redis://h?name=", "name must be"},
    {"redis://h?name=a:b", "name must be"},
    {"redis://h?timeout=99ms", "timeout must be"},
    {"redis://h?timeout=61s", "timeout must be"},
    {"redis://h?cache=1023", "cache must be"},
    {"redis://h?cache=1x", "cache must be"},
    {"redis://h?password-file=/nonexistent/x", "cannot be read"},
    {"redis://h?password-file=/", "not a regular file"},
    {"redis://h?password-file=/dev/null", "has no password in its first line"},
};

START_TEST(mistakes_are_named)
{
    struct crier__redis_url *url = NULL;
    char reason[256];

    ck_assert_int_ne(crier__redis_url_parse(mistakes[_i].text, &url, reason), 0);
    ck_assert_ptr_null(url);
    if (strstr(reason, mistakes[_i].reason) == NULL)
        ck_abort_msg("%s: %s", mistakes[_i].text, reason);
    ck_assert_msg(strstr(reason, "secret") == NULL, "%s: %s", mistakes[_i].text, reason);
}
END_TEST

START_TEST(files_have_passwords)
{
    char directory[] = "/tmp/crier-url-XXXXXX", path[64], text[128], reason[256];
    struct crier__redis_url *url;
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/p", directory);
    snprintf(text, sizeof text, "redis://h?password-file=%s", path);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("a b\r\nmore\n", file);
    fclose(file);
    url = parse(text);
    ck_assert_str_eq(url->password, "a b");
    crier__redis_url_free(url);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(crier__redis_url_parse(text, &url, reason), CRIER_ERR_INVALID);
    ck_assert_int_eq(truncate(path, 4097), 0);
    ck_assert_int_eq(crier__redis_url_parse(text, &url, reason), -EFBIG);
    unlink(path);
    /* Nobody writes to it. */
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(crier__redis_url_parse(text, &url, reason), -EINVAL);
    unlink(path);
    rmdir(directory);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("the URL of a journal in Redis");
    TCase *tcase = add_case(suite, "parts");

    tcase_add_test(tcase, defaults_are_there);
    tcase_add_test(tcase, all_parts_are_read);
    tcase_add_test(tcase, sentinels_are_read);
    tcase_add_test(tcase, sockets_are_read);
    tcase_add_test(tcase, files_have_passwords);
    tcase_add_loop_test(tcase, mistakes_are_named, 0, sizeof mistakes / sizeof mistakes[0]);
    return suite;
}

RUN_SUITE(make_suite)
