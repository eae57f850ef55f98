/* The list of pending frames: order, partial sends, and giving memory back. */
#include <config.h>

#include "crier.h"
#include "libcrier/stream/pending.h"
#include "support/oom.h"
#include "support/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct crier__pending pending;

static struct crier_frame *numbered(int number)
{
    struct crier_frame *frame;
    char text[32];

    snprintf(text, sizeof text, "%d", number);
    ck_assert_int_eq(crier_frame_text(NULL, text, &frame), 0);
    return frame;
}

static void push(int number)
{
    struct crier_frame *frame = numbered(number);

    ck_assert_int_eq(crier__pending_push(&pending, frame), 0);
    crier_frame_unref(frame);
}

/* All that is pending, as one text. */
static const char *all(void)
{
    static char text[65536];
    size_t length =
        crier__pending_copy(&pending, text, sizeof text - 1);

    text[length] = '\0';
    return text;
}

START_TEST(keeps_the_order_through_growth_and_wrap)
{
    char wanted[65536];
    int next = 0, first = 0, round, i;
    size_t length;

    for (round = 0; round < 40; round++) {
        for (i = 0; i < round % 7 + 1; i++)
            push(next++);
        for (i = 0; i < round % 5 && first < next; i++) {
            snprintf(wanted, sizeof wanted, "data: %d\n\n", first++);
            crier__pending_drop(&pending, strlen(wanted));
        }
        length = 0;
        wanted[0] = '\0';
        for (i = first; i < next; i++)
            length += (size_t)snprintf(wanted + length,
                                       sizeof wanted - length,
                                       "data: %d\n\n", i);
        ck_assert_str_eq(all(), wanted);
    }
    crier__pending_clear(&pending);
    ck_assert_uint_eq(pending.count, 0);
    ck_assert_ptr_null(pending.block);
}
END_TEST

START_TEST(goes_on_inside_a_frame)
{
    const char *wire = "data: 10\n\ndata: 11\n\ndata: 12\n\n";
    struct iovec vectors[8];
    size_t cut, total, i;
    int count;

    for (cut = 0; cut <= strlen(wire); cut++) {
        push(10);
        push(11);
        push(12);
        crier__pending_drop(&pending, cut);
        ck_assert_str_eq(all(), wire + cut);
        count = crier__pending_vectors(&pending, vectors, 8);
        for (total = 0, i = 0; i < (size_t)count; i++) {
            ck_assert_mem_eq(vectors[i].iov_base, wire + cut + total,
                             vectors[i].iov_len);
            total += vectors[i].iov_len;
        }
        ck_assert_uint_eq(total, strlen(wire) - cut);
        crier__pending_clear(&pending);
    }
}
END_TEST

START_TEST(copies_no_more_than_asked)
{
    char text[16];

    push(1);
    push(2);
    ck_assert_uint_eq(crier__pending_copy(&pending, text, 12), 12);
    ck_assert_mem_eq(text, "data: 1\n\ndat", 12);
    crier__pending_clear(&pending);
}
END_TEST

START_TEST(short_memory)
{
    struct crier_frame *frame = numbered(3);

    push(1);
    push(2);
    oom_after(1);
    ck_assert_int_eq(crier__pending_push(&pending, frame), -ENOMEM);
    oom_never();
    ck_assert_str_eq(all(), "data: 1\n\ndata: 2\n\n");
    ck_assert_int_eq(crier__pending_push(&pending, frame), 0);
    ck_assert_str_eq(all(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    crier_frame_unref(frame);
    crier__pending_clear(&pending);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pending");
    TCase *c = add_case(s, "list");

    tcase_add_test(c, keeps_the_order_through_growth_and_wrap);
    tcase_add_test(c, goes_on_inside_a_frame);
    tcase_add_test(c, copies_no_more_than_asked);
    tcase_add_test(c, short_memory);
    return s;
}

RUN_SUITE(suite)
