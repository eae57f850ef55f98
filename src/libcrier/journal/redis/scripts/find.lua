-- ARGV: EPOCH TIME
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local time = tonumber(ARGV[2])

-- All updates up to `low` are older than TIME, and those from `high` on are not.
local low, high = 0, totals.last + 1
while high - low > 1 do
    local middle = low + math.floor((high - low) / 2)
    local position, entry = update_from(middle, {})
    if position and position < high and
        correct_time(position, parse_entry(entry).time) < time then
        low = position
    else -- there is none between `middle` and that one
        high = middle
    end
end
return update_upto(low, gone_between('-inf', digits(low))) or 0
