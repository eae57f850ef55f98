-- ARGV: EPOCH NODE NOW POLICY BUDGET
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local node, policy, left = ARGV[2], parse_numbers(ARGV[4]), tonumber(ARGV[5])
local last, note = totals.last, totals.note

-- So many notes may lie before the oldest update: nodes may still want them.
local NOTES = 4096

free_memory()
local now = tell_time(tonumber(ARGV[3]))

-- Evicts the oldest updates of all that are older than the policy allows.
local function evict_old()
    local before = too_old(policy, 0, now)
    while left > 0 and before ~= 0 do
        local position, update = next_oldest()
        if not position or correct_time(position, update.time) >= before then
            return
        end
        left = left - math.max(1, evict_oldest(position, update))
    end
end

-- Evicts what is too old from RECORD's topic, and says when the next one will be.
local function evict_old_of(record)
    while record.count > 0 do
        local position = first_position(record)
        local update = position and get_update(position)
        local due = update and correct_time(position, update.time) + record.age or 0
        if due >= now then
            call('ZADD', DUE, digits(due), record.topic)
            return
        end
        if left <= 0 then
            return
        end
        evict_first(record)
        left = left - 1
    end
    call('ZREM', DUE, record.topic)
end

left = enforce_policy(policy, left)
evict_old()
while left > 0 do
    local topic = call('ZRANGEBYSCORE', DUE, '-inf', '(' .. digits(now), 'LIMIT', '0', '1')[1]
    if not topic then
        break
    end
    local record = get_record(topic)
    if record and record.age ~= 0 then
        evict_old_of(record)
    else
        call('ZREM', DUE, topic)
    end
    left = left - 1
end

save(node, last, note, GRACE)
local oldest, time = oldest_held()
if call('XLEN', LOG) - totals.count - totals.gone > NOTES then
    local gone = call('ZRANGE', GONE, '0', '0')[1]
    call('XTRIM', LOG, 'MINID', digits(math.min(oldest or totals.last,
        gone and parse_gone(gone) or totals.last)) .. '-0')
end
return {left <= 0 and 1 or 0, held(), time or 0}
