/* What a publisher is told is JSON, whatever the names are. */
#include <config.h>

#include "crier_server.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

static const char *const one[] = {"a"};
static const char *const three[] = {"a", "b/c", "d,e"};
static const char *const odd[] = {"\"", "\\", "\xc3\xa4", "\xf0\x9f\xa6\x89"};
static const char *const control[] = {
    "\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f"};

static const struct crier_receipt receipts[] = {
    {.id = "#e-1", .topics = one, .topic_count = 1, .position = 1},
    {.id = "#e-2",
     .topics = three,
     .topic_count = 3,
     .position = UINT64_MAX / 2,
     .subscribers = 1000000,
     .duplicate = true},
    {.id = "\"\\\b\t\x01\x1f/\x7f", .topics = odd, .topic_count = 4},
    {.id = "", .topics = control, .topic_count = 1},
};

/* The same by jansson. */
static json_t *expected(const struct crier_receipt *receipt)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < receipt->topic_count; i++)
        json_array_append_new(array, json_string(receipt->topics[i]));
    return json_pack("{s:s, s:o, s:I, s:I}", "id", receipt->id, "topics",
                     array, "position", (json_int_t)receipt->position,
                     "subscribers", (json_int_t)receipt->subscribers);
}

START_TEST(the_text_is_what_jansson_writes)
{
    const struct crier_receipt *receipt = &receipts[_i];
    json_t *object = expected(receipt);
    char *text = crier_receipt_text(receipt), *wanted;

    ck_assert_ptr_nonnull(text);
    if (receipt->duplicate)
        json_object_set_new(object, "duplicate", json_true());
    wanted = json_dumps(object, JSON_COMPACT);
    ck_assert_str_eq(text, wanted);
    free(wanted);
    free(text);
    json_decref(object);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("receipt");
    TCase *c = add_case(s, "receipt");

    tcase_add_loop_test(c, the_text_is_what_jansson_writes, 0,
                        (int)(sizeof receipts / sizeof receipts[0]));
    return s;
}

RUN_SUITE(suite)
