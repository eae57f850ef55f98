/*
 * Requests of real clients. What a server stores of a request is a large part of the
 * cost of an idle client, so it matters what the load generator sends.
 */
#include <config.h>

#include "heads.h"

#define CURL                                                                           \
    "Host: 127.0.0.1:8080\r\n"                                                         \
    "User-Agent: curl/7.88.1\r\n"                                                      \
    "Accept: text/event-stream\r\n"

/* Chrome 138 on Linux, from a page of the same origin; without Host and Connection,
 * which a proxy replaces. */
#define CHROME                                                                         \
    "sec-ch-ua-platform: \"Linux\"\r\n"                                                \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "                  \
    "(KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36\r\n"                           \
    "Accept: text/event-stream\r\n"                                                    \
    "sec-ch-ua: \"Not)A;Brand\";v=\"8\", \"Chromium\";v=\"138\", "                     \
    "\"Google Chrome\";v=\"138\"\r\n"                                                  \
    "Cache-Control: no-cache\r\n"                                                      \
    "sec-ch-ua-mobile: ?0\r\n"                                                         \
    "Sec-Fetch-Site: same-origin\r\n"                                                  \
    "Sec-Fetch-Mode: cors\r\n"                                                         \
    "Sec-Fetch-Dest: empty\r\n"                                                        \
    "Referer: https://dashboard.example.com/teams/observability/overview"              \
    "?range=6h&refresh=30s&region=eu-central-1&service=checkout&compare="              \
    "previous-week&tab=latency&q=timeouts&sort=p999\r\n"                               \
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"                                     \
    "Accept-Language: en-US,en;q=0.9,de-DE;q=0.8,de;q=0.7\r\n"

#define DIRECT                                                                         \
    "Host: dashboard.example.com\r\n"                                                  \
    "Connection: keep-alive\r\n"

#define PROXY                                                                          \
    "Host: dashboard.example.com\r\n"                                                  \
    "X-Real-IP: 203.0.113.195\r\n"                                                     \
    "X-Forwarded-For: 203.0.113.195\r\n"                                               \
    "X-Forwarded-Proto: https\r\n"                                                     \
    "X-Forwarded-Host: dashboard.example.com\r\n"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* Three cookies, 500 bytes in all. */
#define COOKIE_500                                                                     \
    "Cookie: _ga=GA1.1.1234567890.1700000000; theme=dark; session=" HUNDRED HUNDRED    \
        HUNDRED HUNDRED TEN TEN TEN TEN "0123456\r\n"

/* Three cookies, 2,048 bytes in all. */
#define COOKIE_2048                                                                    \
    "Cookie: _ga=GA1.1.1234567890.1700000000; theme=dark; session=" HUNDRED HUNDRED    \
        HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED        \
            HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN    \
                TEN TEN TEN TEN TEN TEN TEN "01234"                                    \
    "\r\n"

static const char *const heads[HEADS] = {
    [HEAD_CURL] = CURL,
    [HEAD_CHROME] = DIRECT CHROME,
    [HEAD_PROXY] = PROXY CHROME COOKIE_500,
    [HEAD_COOKIE] = DIRECT CHROME COOKIE_2048,
};

const char *head_fields(enum head head) { return heads[head]; }
