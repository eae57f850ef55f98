-- ARGV: EPOCH NODE POSITION NOTE SERVER CANDIDATE NOW
local epoch, node, server, candidate = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local position, note = tonumber(ARGV[3]), tonumber(ARGV[4])

local failure = open_journal(nil)
if failure then
    return failure
end

local LARGEST = 9007199254740992 -- the last of the integers that Lua tells apart

-- Up to COUNT entries of the log that are behind its end, the last one first.
local function entries_behind(count)
    return call('XREVRANGE', LOG, '+',
        '(' .. digits(totals.last) .. '-' .. digits(totals.note), 'COUNT', count)
end

-- Whether there are no positions left for the jumps below and for updates. Another program
-- has added an entry far ahead.
local function is_used_up()
    local entry = entries_behind('1')[1]
    return math.max(totals.last, position, entry and place_of(entry) or 0) >
        LARGEST - 4 * JUMP
end

if totals.epoch and is_used_up() then
    return redis.error_reply('CRIER_POSITIONS the journal has none left')
end

-- Makes UPTO the last position. Those up to there have not been, and will not be, used.
local function jump(upto)
    call('ZADD', JUMPS, digits(totals.last),
        digits(upto) .. ' ' .. digits(totals.last) .. ' ' .. digits(totals.note))
    call('ZREMRANGEBYRANK', JUMPS, '0', '-257')
    totals.last, totals.note = upto, 0
end

local function renew()
    jump(math.max(totals.last, position) + JUMP)
    totals.epoch, totals.renewed = candidate, totals.last
end

-- Whether the journal has been at the place that the node has seen.
local function is_known()
    if position > totals.last or position == totals.last and note > totals.note then
        return false
    end
    local member = call('ZREVRANGEBYSCORE', JUMPS, digits(position), '-inf',
        'LIMIT', '0', '1')[1]
    if not member then
        return true
    end
    local upto, from, noted = match(member, '^(%d+) (%d+) (%d+)$')
    upto, from, noted = tonumber(upto), tonumber(from), tonumber(noted)
    if position == from then
        return note <= noted
    end
    return position >= upto
end

-- Takes away what ENTRY, an update behind the end, has in the index and in the ids.
local function drop_traces(entry)
    local update = parse_entry(entry)
    if not update then
        return
    end
    local position = place_of(entry)
    for _, topic in ipairs(update.topics) do
        call('ZREM', INDEX, member_of(topic, position))
    end
    if update.id ~= '' and tonumber(call('HGET', IDS, update.id) or 0) == position then
        call('HDEL', IDS, update.id)
    end
end

-- A script that was stopped half way, by an access rule, has left entries behind the end. They
-- were never acknowledged, and no node has seen them.
local function drop_torn()
    local top
    while true do
        local part = entries_behind('100')
        if #part == 0 then
            break
        end
        top = top or place_of(part[1])
        for _, entry in ipairs(part) do
            drop_traces(entry)
            call('XDEL', LOG, entry[1])
        end
    end
    if top then
        jump(top + JUMP)
    end
end

-- Runs each command that a script may need, without an effect: what an access rule forbids is
-- known now, and not in the middle of a change.
local function rehearse()
    local none = '\1'
    call('ZADD', NAMES, 'XX', '0', none)
    call('ZREM', NAMES, none)
    call('HDEL', IDS, none)
    call('HMGET', IDS, none)
    call('XDEL', LOG, '0-1')
    call('XTRIM', LOG, 'MINID', '0')
    call('ZRANGE', NAMES, '0', '0')
    call('ZRANGEBYSCORE', DUE, '(0', '0')
    call('ZRANGEBYLEX', NAMES, '-', '+', 'LIMIT', '0', '1')
    call('ZCARD', EMPTY)
end

rehearse()
local last, known = totals.last, totals.epoch
if not totals.epoch then
    call('UNLINK', LOG, IDS, TOPICS, INDEX, NAMES, EMPTY, DUE, ENDS, JUMPS, GONE)
    open_journal(nil)
    totals.epoch = candidate
    if position > 0 then
        renew()
    end
else
    drop_torn()
    if totals.last > 0 and call('HGET', JOURNAL, 'server') ~= server then
        jump(totals.last + JUMP)
    end
    if epoch == totals.epoch and not is_known() then
        renew()
    elseif position > totals.last then
        jump(position + JUMP)
    end
end
save_totals()
call('HSET', JOURNAL, 'format', FORMAT, 'epoch', totals.epoch, 'server', server,
    'renewed', digits(totals.renewed))
call('HSETNX', NODE, 'batch', '0')
call('EXPIRE', NODE, '86400')
if totals.last ~= last or totals.epoch ~= known then
    publish_feed(node)
end
local oldest, time = oldest_held()
return {totals.epoch, totals.renewed, totals.corrected_upto, totals.corrected_time, held(),
    oldest or 0, time or 0}
