-- ARGV: EPOCH NODE NUMBER NOW POLICY BUDGET, then HEAD BODY LIMITS CENSUS ...
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local node, number, budget = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])

local slot = 'r' .. digits(number % 4)
local kept = call('HMGET', NODE, 'batch', slot)
if kept[1] and number <= tonumber(kept[1]) then
    local reply = kept[2] and cmsgpack.unpack(kept[2])
    if reply and reply[1] == number then
        return reply[2]
    end
    return redis.error_reply('CRIER_STALE the reply to this batch is not kept any more')
end

local last, note = totals.last, totals.note
local now = tell_time(tonumber(ARGV[4]))
local time_before = totals.time
local policy = parse_numbers(ARGV[5])
local max_topics = policy[4]
local quota = budget -- of updates that the limits of all evict
local left = {}      -- likewise by topic, of its own limits
local failures, counted = {}, {}

-- ---- what the batch needs -----------------------------------------------

local batch = {}
do
    local topics, given = {}, {}
    local seen = {}
    for i = 7, #ARGV, 4 do
        local update = parse_head(ARGV[i])
        batch[#batch + 1] = update
        for _, topic in ipairs(update.topics) do
            if not seen[topic] then
                seen[topic] = true
                topics[#topics + 1] = topic
            end
        end
        if is(update, GIVEN) then
            given[#given + 1] = update.id
        end
    end
    load_records(topics)
    local positions = get_fields(IDS, given)
    for i = 1, #given do
        ids[given[i]] = positions[i] and tonumber(positions[i])
    end
end

local limits_of = {} -- by their text
local function parse_limits(text)
    local limits = limits_of[text]
    if not limits then
        limits = {}
        for one in gmatch(text, '[^;]+') do
            limits[#limits + 1] = parse_numbers(one)
        end
        limits_of[text] = limits
    end
    return limits
end

-- ---- refusals -----------------------------------------------------------

-- The position of an update that has the id of UPDATE, and whether it has the same topics.
local function find_older(update)
    local position = ids[update.id]
    local older = position and get_update(position)
    if older then
        return position, older.names == update.names and 1 or 0
    end
end

local function has_ended(record, age)
    local before = too_old(policy, age, now)
    if before == 0 then
        return true
    end
    local position, time = match(call('HGET', ENDS, record.topic) or '', '^(%d+) (%d+) ')
    return position and correct_time(tonumber(position), tonumber(time)) >= before
end

-- The index of a topic of UPDATE that has ended, or nil.
local function find_ended(update, limits)
    local topics = update.topics
    for i = 1, #topics do
        local record = records[topics[i]]
        if record and record.ended ~= 0 and
            has_ended(record, limits[i] and limits[i][3] or 0) then
            return i - 1
        end
    end
end

-- Makes the records that UPDATE needs. Returns false, and has changed nothing, when there
-- would be too many.
local function make_records(update)
    local topics = update.topics
    local missing, own_empty, pinned = 0, 0, {}
    for i = 1, #topics do
        local record = records[topics[i]]
        pinned[topics[i]] = true
        if not record then
            missing = missing + 1
        elseif record.count == 0 then
            own_empty = own_empty + 1
        end
    end
    if max_topics ~= 0 then
        local excess = missing - math.max(0, max_topics - totals.topics)
        if excess > 0 and call('ZCARD', EMPTY) - own_empty < excess then
            return false
        end
        for _ = 1, excess do
            recycle(pinned, #topics)
        end
    end
    for i = 1, #topics do
        if not records[topics[i]] then
            add_record(topics[i])
        end
    end
    return true
end

-- ---- append -------------------------------------------------------------

-- This node has COUNT streams that subscribe to SELECTOR. Returns the BODY with the total.
local function count_streams(index, census, body)
    local count, selector = match(census, '^(%d+) (.*)$')
    know_node(node)
    local total = set_count(selector, tonumber(count))
    counted[#counted + 1] = {index, total}
    return (string.gsub(body, '\26', digits(total)))
end

-- The time of UPDATE: crier__journal_time_of().
local function time_of(update)
    if update.time == 0 or update.time > now then
        return now
    end
    return math.max(update.time, totals.time)
end

-- Adds UPDATE at POSITION to the topic of RECORD.
local function hold(record, position, place, update, age)
    if record.count == 0 and not record.new then
        call('ZREM', EMPTY, record.topic)
    end
    record.new = false
    if record.age ~= age then
        keep_age(record, age)
    elseif age ~= 0 and record.count == 0 then
        call('ZADD', DUE, digits(update.time + age), record.topic)
    end
    if record.ended ~= 0 then -- by an update that is too old
        reopen(record, false)
    end
    not_ended[record.topic] = nil
    record.count = record.count + 1
    record.bytes = record.bytes + update.cost
    if is(update, PRIVATE) then
        record.newest_private = position
    else
        record.newest_public = position
    end
    if is(update, LAST) then
        record.ended = position
        call('HSET', ENDS, record.topic, digits(position) .. ' ' .. digits(update.time) ..
            ' ' .. update.id)
    end
    touch(record)
    local n = #added
    added[n + 1], added[n + 2] = '0', record.topic .. '\0' .. place
end

local HEAD = INTEGER .. ' ' .. INTEGER .. ' ' .. INTEGER

local function append(update, head, body, limits)
    local position = totals.last + 1
    local topics = update.topics
    local place = pack('>I8', position)
    update.time = time_of(update)
    totals.last, totals.note, totals.time = position, 0, update.time
    call('XADD', LOG, digits(position) .. '-0', 'u',
        format(HEAD, update.flags, update.time, update.cost) ..
        sub(head, update.behind), 'b', body)
    updates[position] = update
    totals.count = totals.count + 1
    totals.bytes = totals.bytes + update.cost
    if is(update, PRIVATE) then
        totals.newest_private = position
    end
    if is(update, GIVEN) then
        ids[update.id] = position
        changed_ids[update.id] = true
    end
    for i = 1, #topics do
        hold(records[topics[i]], position, place, update, limits[i] and limits[i][3] or 0)
    end
    for i = 1, #limits do
        local record = records[topics[i]]
        left[record] = enforce_limits(record, limits[i], (left[record] or budget) + 1)
    end
    quota = enforce_policy(policy, quota + 2 * #topics + 2)
end

for i = 1, #batch do
    local update, at = batch[i], 4 * i + 3
    local body, limits, census = ARGV[at + 1], parse_limits(ARGV[at + 2]), ARGV[at + 3]
    if census ~= '' then
        local counted_body = count_streams(i - 1, census, body)
        update.cost = update.cost + #counted_body - #body
        body = counted_body
    end
    local older, same = nil, nil
    if is(update, GIVEN) then
        older, same = find_older(update)
    end
    local ended = not older and find_ended(update, limits)
    if older then
        failures[#failures + 1] = {i - 1, 'exists', older, same}
    elseif ended then
        failures[#failures + 1] = {i - 1, 'ended', ended}
    elseif not make_records(update) then
        failures[#failures + 1] = {i - 1, 'topics'}
    else
        append(update, ARGV[at], body, limits)
    end
end

save(node, last, note)
publish_counts()
local reply = {last, note, last + 1, time_before, held(), failures, counted}
call('HSET', NODE, 'batch', digits(number), slot, cmsgpack.pack({number, reply}))
if not kept[1] or number % 256 == 0 then
    call('EXPIRE', NODE, '86400')
end
return reply
