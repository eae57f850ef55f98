/* The pages, end to end, from a directory with files that must not be served. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crierd crierd;
static char dir[64];

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make_dir(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_link(const char *name, const char *to)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(symlink(to, path), 0);
}

static void setup(void)
{
    char options[128];

    snprintf(dir, sizeof dir, "/tmp/crier-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("secret.txt", "secret");
    make_dir("www");
    make_dir("www/sub");
    make_dir("www/sub/a:b c");
    make_dir("www/bare");
    put("www/sub/a:b c/index.html", "deep");
    put("www/index.html", "<!doctype html>home");
    put("www/style.css", "body{}");
    put("www/code.js", "1");
    put("www/pic.svg", "<svg/>");
    put("www/empty.txt", "");
    put("www/openapi.yaml", "openapi: 3.1.0");
    put("www/noending", "bytes");
    put("www/a b.txt", "space");
    put("www/.hidden", "hidden");
    put("www/sub/index.html", "sub");
    put("www/sub/page.html", "page");
    make_link("www/out.txt", "../secret.txt");
    make_link("www/up", "..");
    make_link("www/inside.txt", "style.css");
    snprintf(options, sizeof options, "--www %s/www", dir);
    crierd_start(&crierd, options);
}

static int delete(const char *path, const struct stat *status, int type,
                  struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    nftw(dir, delete, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct {
    const char *target, *type, *body;
} files[] = {
    {"/", "text/html; charset=utf-8", "<!doctype html>home"},
    {"/index.html", "text/html; charset=utf-8", "<!doctype html>home"},
    {"/index.html?x=y", "text/html; charset=utf-8", "<!doctype html>home"},
    {"/style.css", "text/css; charset=utf-8", "body{}"},
    {"/code.js", "text/javascript; charset=utf-8", "1"},
    {"/pic.svg", "image/svg+xml", "<svg/>"},
    {"/empty.txt", "text/plain; charset=utf-8", ""},
    {"/noending", "application/octet-stream", "bytes"},
    {"/a%20b.txt", "text/plain; charset=utf-8", "space"},
    {"/openapi.yaml", "application/yaml", "openapi: 3.1.0"},
    {"/sub/", "text/html; charset=utf-8", "sub"},
    {"/sub/page.html", "text/html; charset=utf-8", "page"},
    {"/%73ub/page.html", "text/html; charset=utf-8", "page"},
};

START_TEST(a_file_with_its_type)
{
    struct client client;
    char *body, etag[128];

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", files[_i].target, "",
                                    NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "Content-Type"), files[_i].type);
    ck_assert_str_eq(client_header(&client, "Cache-Control"), "no-cache");
    snprintf(etag, sizeof etag, "%s", client_header(&client, "ETag"));
    ck_assert_int_eq(etag[0], '"');
    body = client_body(&client);
    ck_assert_str_eq(body, files[_i].body);
    free(body);
    ck_assert_int_eq(client_request(&client, "HEAD", files[_i].target, "",
                                    NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "ETag"), etag);
    ck_assert_uint_eq(
        strtoul(client_header(&client, "Content-Length"), NULL, 10),
        strlen(files[_i].body));
    client_close(&client);
}
END_TEST

START_TEST(a_known_file_is_not_sent_again)
{
    struct client client;
    char headers[512], etag[128];

    client_connect(&client, crierd.port);
    client_request(&client, "GET", "/style.css", "", NULL);
    snprintf(etag, sizeof etag, "%s", client_header(&client, "ETag"));
    free(client_body(&client));
    snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
    ck_assert_int_eq(
        client_request(&client, "GET", "/style.css", headers, NULL), 304);
    ck_assert_str_eq(client_header(&client, "ETag"), etag);
    ck_assert_str_ne(client_header(&client, "Content-Length"), "0");
    snprintf(headers, sizeof headers, "If-None-Match: \"x\", W/%s\r\n", etag);
    ck_assert_int_eq(
        client_request(&client, "GET", "/style.css", headers, NULL), 304);
    ck_assert_int_eq(client_request(&client, "GET", "/style.css",
                                    "If-None-Match: *\r\n", NULL),
                     304);
    ck_assert_int_eq(client_request(&client, "GET", "/style.css",
                                    "If-None-Match: \"x\"\r\n", NULL),
                     200);
    free(client_body(&client));
    put("www/style.css", "body{color:red}");
    snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
    ck_assert_int_eq(
        client_request(&client, "GET", "/style.css", headers, NULL), 200);
    ck_assert_str_ne(client_header(&client, "ETag"), etag);
    client_close(&client);
}
END_TEST

/* No path leads out of the directory or to hidden files. */
static const char *const traps[] = {
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E./secret.txt",
    "/..%2fsecret.txt",
    "/sub%2fpage.html",
    "/sub/..%2f..%2fsecret.txt",
    "/out.txt",
    "/up/secret.txt",
    "/inside.txt",
    "/.hidden",
    "/%2ehidden",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/./index.html",
    "/index.html/",
    "/index.html/x",
    "/style.css%20",
    "/nothing.html",
};

START_TEST(no_way_out)
{
    char *body;

    ck_assert_int_eq(fetch(crierd.port, "GET", traps[_i], "", NULL, &body),
                     404);
    ck_assert_ptr_null(strstr(body, "secret"));
    free(body);
}
END_TEST

static const struct {
    const char *target, *location;
} directories[] = {
    {"/sub", "./sub/"},
    {"/sub?x=/y", "./sub/?x=/y"},
    {"/%73ub", "./%73ub/"},
    {"/sub/a:b%20c", "./a:b%20c/"},
};

START_TEST(a_directory_has_a_slash)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", directories[_i].target, "", NULL),
                     301);
    ck_assert_str_eq(client_header(&client, "Location"), directories[_i].location);
    client_close(&client);
}
END_TEST

#define WANTS_HTML "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"

/* Paths where nothing is, and the way from there to the root. */
static const struct {
    const char *target, *root;
} lost[] = {
    {"/nothing", "./"},           {"/nothing.html?a/b", "./"},
    {"/nothing/", "../"},         {"/sub/nothing", "../"},
    {"/a/b/c/d.js", "../../../"}, {"/bare/", "../"},
    {"/.hidden", "./"},           {"/404.html", "./"},
};

START_TEST(a_browser_gets_a_page_that_says_so)
{
    char *body, page[128];

    ck_assert_int_eq(fetch(crierd.port, "GET", lost[_i].target, WANTS_HTML, NULL, &body),
                     404);
    ck_assert_ptr_nonnull(strstr(body, "there is nothing at this path")); /* no page yet */
    free(body);
    put("www/404.html", "<a href=%ROOT%>home</a><a href=%ROOT%docs/>");
    ck_assert_int_eq(fetch(crierd.port, "GET", lost[_i].target, WANTS_HTML, NULL, &body),
                     404);
    snprintf(page, sizeof page, "<a href=%s>home</a><a href=%sdocs/>\n", lost[_i].root,
             lost[_i].root);
    ck_assert_str_eq(body, page);
    free(body);
    ck_assert_int_eq(fetch(crierd.port, "GET", lost[_i].target, "", NULL, &body), 404);
    ck_assert_ptr_nonnull(strstr(body, "\"status\":404"));
    free(body);
}
END_TEST

START_TEST(a_nul_is_refused)
{
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/index.html%00.css", "", NULL, NULL), 400);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("files");
    TCase *c = add_case(s, "files");

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_file_with_its_type, 0, COUNT(files));
    tcase_add_test(c, a_known_file_is_not_sent_again);
    tcase_add_loop_test(c, no_way_out, 0, COUNT(traps));
    tcase_add_loop_test(c, a_directory_has_a_slash, 0, COUNT(directories));
    tcase_add_loop_test(c, a_browser_gets_a_page_that_says_so, 0, COUNT(lost));
    tcase_add_test(c, a_nul_is_refused);
    return s;
}

RUN_SUITE(suite)
