-- ARGV: EPOCH, then TOPIC ...
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local topics = {}
for i = 2, #ARGV do
    topics[i - 1] = ARGV[i]
end
local records = get_fields(TOPICS, topics)
for i = 1, #topics do
    records[i] = records[i] or ''
end
return {totals.last, totals.evicted, totals.forgotten, totals.renewed, totals.newest_private,
    totals.corrected_upto, totals.corrected_time, records}
