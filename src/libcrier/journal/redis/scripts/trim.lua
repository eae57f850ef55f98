-- ARGV: EPOCH NODE NOW BUDGET, then TOPIC LIMITS ...
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local node, budget = ARGV[2], tonumber(ARGV[4])
local last, note = totals.last, totals.note
local more = 0

free_memory()
for i = 5, #ARGV, 2 do
    local record, limits = get_record(ARGV[i]), parse_numbers(ARGV[i + 1])
    if record then
        keep_age(record, limits[3])
        enforce_limits(record, limits, budget)
        if record.count > 0 and exceeds(record.count, record.bytes, limits[1], limits[2]) then
            more = 1
        end
    end
end
save(node, last, note)
return {more, held()}
