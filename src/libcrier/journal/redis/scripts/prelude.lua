-- What the scripts share. It stands in front of each of them.
--
-- A script that changes the journal works on tables: `totals` (the hash `journal`) and the
-- records of the topics that it meets. Entries of the log and fields of `empty`, `names`,
-- `due` and `ends` change at once; what can be collected (the index, the ids, what leaves
-- the log, the notes) is written by save() at the end, in few calls. Between scripts the
-- keys agree with each other.
--
-- A topic evicts its oldest updates first. So it holds an update exactly if the update's
-- position is beyond its `evicted`, and the index need not be asked for that.
--
-- An update that is evicted while it is one of the newest stays in the log, for the nodes
-- that have not fetched it yet. It is *gone*: nothing but FETCH shows it.
--
-- A position has up to 16 digits, and Lua writes numbers with 14: all numbers that are
-- stored are formatted with INTEGER.

local JOURNAL, LOG, IDS, TOPICS, INDEX, NAMES, EMPTY, DUE, ENDS, JUMPS, NODES, CENSUS,
    GONE, NODE = unpack(KEYS)
local CHANNEL = string.sub(JOURNAL, 1, -8) -- the key without "journal"
local call, band = redis.call, bit.band
local format, find, sub, match = string.format, string.find, string.sub, string.match
local pack, unpack_struct = struct.pack, struct.unpack
local gmatch, insert, concat, tonumber = string.gmatch, table.insert, table.concat, tonumber

local FORMAT = '1'
local JUMP = 4294967296
local CHUNK = 2000          -- so many arguments one call is given
local EARLIEST = 1767225600000 -- 2026: a clock that is right says more
local GRACE = 4096          -- so many of the newest positions stay in the log
local GRACE_BYTES = 16777216 -- unless those that are gone cost more than that
local LEAD = 10000          -- so many ms the newest update may be ahead of the clock

-- '%d' is the faster one, where a C long has 64 bits.
local INTEGER = format('%d', JUMP) == '4294967296' and '%d' or '%.0f'

local function digits(number)
    return format(INTEGER, number)
end

-- Runs COMMAND on KEY with LIST, whose length is even if it has pairs.
local function call_with(command, key, list)
    for i = 1, #list, CHUNK do
        call(command, key, unpack(list, i, math.min(i + CHUNK - 1, #list)))
    end
end

-- The values of the FIELDS of the hash KEY.
local function get_fields(key, fields)
    local values = {}
    for i = 1, #fields, CHUNK do
        local part = call('HMGET', key, unpack(fields, i, math.min(i + CHUNK - 1, #fields)))
        for k = 1, #part do
            values[i + k - 1] = part[k]
        end
    end
    return values
end

-- ---- the journal --------------------------------------------------------

local totals

-- Reads the totals. Returns an error if the journal is not that of EPOCH.
local function open_journal(epoch)
    local v = call('HMGET', JOURNAL, 'format', 'epoch', 'last', 'note', 'time', 'count',
        'bytes', 'evicted', 'forgotten', 'newest_private', 'renewed', 'corrected_upto',
        'corrected_time', 'floor', 'gone', 'gone_bytes')
    if v[1] and v[1] ~= FORMAT then
        return redis.error_reply('CRIER_FORMAT the journal has the format ' .. v[1])
    end
    if epoch and v[2] ~= epoch then
        return redis.error_reply('CRIER_EPOCH the journal has another epoch')
    end
    for i = 3, 16 do
        v[i] = tonumber(v[i] or 0) or 0
    end
    totals = {
        epoch = v[2], last = v[3], note = v[4], time = v[5], count = v[6], bytes = v[7],
        evicted = v[8], forgotten = v[9], newest_private = v[10], renewed = v[11],
        corrected_upto = v[12], corrected_time = v[13],
        floor = v[14], -- no update up to here is held
        gone = v[15], gone_bytes = v[16], topics = call('HLEN', TOPICS),
    }
end

local function held()
    return {totals.count, totals.bytes, totals.topics, totals.last, totals.note, totals.time}
end

local function save_totals()
    call('HSET', JOURNAL, 'last', digits(totals.last), 'note', digits(totals.note),
        'time', digits(totals.time), 'count', digits(totals.count),
        'bytes', digits(totals.bytes), 'evicted', digits(totals.evicted),
        'forgotten', digits(totals.forgotten),
        'newest_private', digits(totals.newest_private),
        'corrected_upto', digits(totals.corrected_upto),
        'corrected_time', digits(totals.corrected_time), 'floor', digits(totals.floor),
        'gone', digits(totals.gone), 'gone_bytes', digits(totals.gone_bytes))
end

local function publish_feed(node)
    call('PUBLISH', CHANNEL .. 'feed',
        node .. ' ' .. digits(totals.last) .. ' ' .. digits(totals.note))
end

-- The time that the journal goes by when a node's clock says CLOCK. Corrects a time of the
-- newest update that is too far ahead.
local function tell_time(clock)
    if totals.time > clock + LEAD and clock >= EARLIEST then
        totals.corrected_upto = totals.last
        totals.corrected_time = clock
        totals.time = clock
    end
    return math.max(clock, totals.time)
end

local function correct_time(position, time)
    if position <= totals.corrected_upto and time > totals.corrected_time then
        return totals.corrected_time
    end
    return time
end

-- The server's clock in ms since 1970.
local function server_time()
    local time = call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- ---- the log ------------------------------------------------------------

local PRIVATE, LAST, HIDDEN, GIVEN = 1, 2, 4, 8

local function is(update, flag)
    return update.flags ~= 0 and band(update.flags, flag) ~= 0
end

-- The update that HEAD (redis_record.c) describes; its id and topics begin at `behind`.
local function parse_head(head)
    local flags, time, cost, behind, id, names =
        match(head, '^(%d+) (%d+) (%d+)()\n([^\n]*)\n(.*)$')
    if not flags then
        return nil -- another program's
    end
    local topics
    if find(names, '\n', 1, true) then
        topics = {}
        for topic in gmatch(names, '[^\n]+') do
            topics[#topics + 1] = topic
        end
    else
        topics = {names}
    end
    return {
        flags = tonumber(flags), time = tonumber(time), cost = tonumber(cost),
        behind = behind, id = id, names = names, topics = topics,
    }
end

-- The position and the note in the id of an ENTRY of the log.
local function place_of(entry)
    local position, note = match(entry[1], '^(%d+)-(%d+)$')
    return tonumber(position), tonumber(note)
end

local function parse_entry(entry)
    return entry[2][1] == 'u' and parse_head(entry[2][2]) or nil
end

-- The entry of the update at POSITION, or nil.
local function get_entry(position)
    local id = digits(position) .. '-0'
    return call('XRANGE', LOG, id, id)[1]
end

-- A member of T gone: the position and the cost of an update, and its topics.
local function parse_gone(member)
    local position, cost, names = match(member, '^(%d+) (%d+)\n(.*)$')
    return tonumber(position), tonumber(cost), names
end

-- The positions from LOW up to HIGH of updates that are gone, as keys.
local function gone_between(low, high)
    local positions = {}
    if totals.gone > 0 then
        for _, member in ipairs(call('ZRANGEBYSCORE', GONE, low, high)) do
            positions[tonumber(match(member, '^%d+'))] = true
        end
    end
    return positions
end

-- Those of ENTRIES that are gone, likewise.
local function gone_among(entries)
    if totals.gone == 0 or #entries == 0 then
        return {}
    end
    return gone_between(digits((place_of(entries[1]))), digits((place_of(entries[#entries]))))
end

-- The first update of the log at or behind POSITION that is not in SKIPPED: its position
-- and entry, or nil.
local function update_from(position, skipped)
    while true do
        while skipped[position] do
            position = position + 1
        end
        local entry = call('XRANGE', LOG, digits(position) .. '-0', '+', 'COUNT', '1')[1]
        if not entry then
            return nil
        end
        local at, note = place_of(entry)
        if note == 0 and not skipped[at] then
            return at, entry
        end
        position = at + 1
    end
end

-- The last update of the log up to POSITION that is not in SKIPPED, likewise.
local function update_upto(position, skipped)
    while true do
        while skipped[position] do
            position = position - 1
        end
        local entry = call('XREVRANGE', LOG, digits(position) .. '-0', '-', 'COUNT', '1')[1]
        if not entry then
            return nil
        end
        local at, note = place_of(entry)
        if note == 0 and not skipped[at] then
            return at, entry
        end
        position = at
    end
end

-- The oldest update that is held: its position and time, or nil.
local function oldest_held()
    local position, entry = update_from(totals.floor + 1, {})
    local gone = position and gone_between(digits(position), digits(position))
    if position and gone[position] then
        position, entry = update_from(position, gone_between(digits(position), '+inf'))
    end
    local update = position and parse_entry(entry)
    if update then
        return position, correct_time(position, update.time)
    end
end

-- ---- the index ----------------------------------------------------------

local function member_of(topic, position)
    return topic .. '\0' .. pack('>I8', position)
end

local function position_in(member)
    return (unpack_struct('>I8', member, #member - 7))
end

-- Up to COUNT positions of TOPIC, beyond AFTER and up to UPTO (nil: all), upwards.
local function positions_of(topic, after, upto, count)
    return call('ZRANGEBYLEX', INDEX, '(' .. member_of(topic, after),
        upto and '[' .. member_of(topic, upto) or '(' .. topic .. '\1',
        'LIMIT', '0', count)
end
