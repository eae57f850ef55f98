-- ARGV: EPOCH NODE NOW TOPIC UPTO BUDGET
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local node, topic = ARGV[2], ARGV[4]
local upto, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local last, note = totals.last, totals.note
local record = get_record(topic)

if not record or record.count == 0 then
    return {0, 0, upto, held()}
end
free_memory()
if upto == 0 then -- the first step
    upto = totals.last
    add_note('f', topic)
    if record.ended ~= 0 then
        reopen(record, false)
        touch(record)
    end
end
local more
for left = budget, 0, -1 do
    more = record.count > 0 and (first_position(record) or 0) <= upto
    if not more or left == 0 then
        break
    end
    evict_first(record)
end
save(node, last, note)
return {1, more and 1 or 0, upto, held()}
