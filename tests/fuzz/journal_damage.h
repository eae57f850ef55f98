#ifndef TESTS_FUZZ_JOURNAL_DAMAGE_H
#define TESTS_FUZZ_JOURNAL_DAMAGE_H

#include <stdint.h>

/* What fuzz_journal puts in the place of numbers in the file, and what it does to a
 * sound one by SQL. The seed corpus knows them by their places. */

static const uint64_t numbers[] = {0,          1,
                                   0x7fff,     0xffffffff,
                                   INT64_MAX,  (uint64_t)INT64_MAX - 1,
                                   UINT64_MAX, (uint64_t)INT64_MAX + 1,
                                   256,        0x0101010101010101};

static const char *const values[] = {
    "0", "1", "-1", "7", "9223372036854775807", "9223372036854775806",
    "-9223372036854775808", "", "x", "a\nb", "a,b,", "\xff", "data: x\n\n",
    "data: x\n", "data: a\n\ndata: b\n\n", "a\r\n\r\n", "\n\n", "#fuzz-3", "*",
    "1e300"};

static const char *const edits[] = {
    "UPDATE journal SET epoch = ?1",
    "UPDATE journal SET last = ?1",
    "UPDATE journal SET time = ?1",
    "UPDATE journal SET evicted = ?1",
    "UPDATE journal SET forgotten = ?1",
    "UPDATE journal SET topics = ?1",
    "UPDATE journal SET count = ?1",
    "UPDATE journal SET bytes = ?1",
    "DELETE FROM journal",
    "INSERT INTO journal SELECT * FROM journal",
    "UPDATE updates SET time = ?1 WHERE position % 2",
    "UPDATE updates SET hidden = ?1 WHERE position % 2",
    "UPDATE updates SET holds = ?1",
    "UPDATE updates SET cost = ?1",
    "UPDATE updates SET id = ?1 WHERE position = 5",
    "UPDATE updates SET topics = ?1 WHERE position % 2",
    "UPDATE updates SET body = ?1 WHERE position % 2",
    "UPDATE updates SET position = ?1 WHERE position = 6",
    "DELETE FROM updates WHERE position % 2",
    "UPDATE topics SET name = ?1 WHERE name = 'a'",
    "UPDATE topics SET count = ?1",
    "UPDATE topics SET bytes = ?1",
    "UPDATE topics SET evicted = ?1",
    "UPDATE topics SET due = ?1",
    "UPDATE topics SET topic = ?1 WHERE name = 'a'",
    "DELETE FROM topics WHERE name = 'a'",
    "UPDATE entries SET position = ?1 WHERE position = 6",
    "INSERT INTO entries SELECT topic, ?1 FROM topics",
    "DELETE FROM entries",
    "DROP TABLE entries; CREATE TABLE entries (x)",
    "DROP INDEX updates_id",
    "ALTER TABLE topics RENAME COLUMN due TO x",
    "CREATE TRIGGER t BEFORE INSERT ON updates BEGIN "
    "SELECT raise(ABORT, 'no'); END",
    "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = "
    "replace(sql, 'NOT NULL', '')",
    "UPDATE updates SET topics = NULL",
    "PRAGMA user_version = 2",
    "PRAGMA application_id = 7",
    "UPDATE journal SET private = ?1",
    "UPDATE journal SET newest = ?1",
    "UPDATE journal SET dropped = ?1",
    "UPDATE journal SET hidden_newest = ?1",
    "UPDATE journal SET hidden_dropped = ?1",
    "UPDATE journal SET checked = ?1",
    "UPDATE journal SET retention = ?1",
    "UPDATE updates SET flags = ?1 WHERE position % 2",
    "UPDATE updates SET sum = ?1 WHERE position = 5",
    "UPDATE updates SET body_sum = ?1 WHERE position = 5",
    "UPDATE topics SET private = ?1",
    "UPDATE topics SET public = ?1",
    "UPDATE topics SET ended = ?1",
    "UPDATE entries SET prev = ?1 WHERE position % 2",
    "UPDATE lists SET prev = ?1 WHERE position % 2",
    "UPDATE lists SET position = ?1 WHERE position = 6",
    "UPDATE lists SET list = ?1 WHERE position = 6",
    "DELETE FROM lists WHERE position % 2",
    "DELETE FROM lists",
    "UPDATE ends SET topic = ?1",
    "UPDATE ends SET position = ?1",
    "UPDATE ends SET time = ?1",
    "UPDATE ends SET id = ?1",
    "DELETE FROM ends",
    "DROP TABLE mark",
    "UPDATE mark SET open = ?1",
};

#endif
