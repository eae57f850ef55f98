-- How the scripts that append and evict change the journal. It stands behind prelude.lua
-- in front of those.

local updates = {}           -- by position: those that have been read or appended
local gone = {}              -- by position: those that are known to be evicted
local records = {}           -- by topic; false: there is none
local changed = {}           -- the records to write
local ids = {}               -- publisher's id: position, or false
local changed_ids = {}
local added, removed = {}, {} -- members of the index; `added` with the scores
local deleted = {}           -- entries that leave the log, by their ids
local trimmed                -- up to this position all leave it
local kept = {}              -- members of T gone to add, with their scores
local grace = GRACE          -- so many of the newest positions stay in the log
local not_ended = {}         -- topics that need a note

-- For a script that takes away: its first change needs no memory, and Redis then lets it do
-- the others, too, if it has more than `maxmemory`.
local function free_memory()
    call('HDEL', JOURNAL, '')
end

-- ---- records ------------------------------------------------------------

local function parse_record(topic, text)
    local count, bytes, evicted, private, public, ended, age =
        match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    return {
        topic = topic, count = tonumber(count), bytes = tonumber(bytes),
        evicted = tonumber(evicted), newest_private = tonumber(private),
        newest_public = tonumber(public), ended = tonumber(ended), age = tonumber(age),
    }
end

local function load_records(topics)
    local texts = get_fields(TOPICS, topics)
    for i = 1, #topics do
        records[topics[i]] = texts[i] and parse_record(topics[i], texts[i])
    end
end

local function get_record(topic)
    local record = records[topic]
    if record == nil then
        local text = call('HGET', TOPICS, topic)
        record = text and parse_record(topic, text)
        records[topic] = record
    end
    return record
end

local function touch(record)
    if not record.changed then
        record.changed = true
        changed[#changed + 1] = record
    end
end

local function add_record(topic)
    local record = {
        topic = topic, count = 0, bytes = 0, evicted = totals.forgotten,
        newest_private = 0, newest_public = totals.forgotten, ended = 0, age = 0, new = true,
    }
    records[topic] = record
    totals.topics = totals.topics + 1
    call('ZADD', NAMES, '0', topic)
    touch(record)
    return record
end

-- Drops the record of the topic that has held nothing for longest, but for the topics that
-- PINNED has as keys.
local function recycle(pinned, pinned_count)
    for _, topic in ipairs(call('ZRANGE', EMPTY, '0', digits(pinned_count))) do
        if not pinned[topic] then
            local record = get_record(topic)
            if record then
                totals.forgotten = math.max(totals.forgotten, record.evicted)
                record.dropped = true
                totals.topics = totals.topics - 1
            end
            records[topic] = false
            call('HDEL', TOPICS, topic)
            call('ZREM', EMPTY, topic)
            call('ZREM', NAMES, topic)
            call('ZREM', DUE, topic)
            return
        end
    end
end

local turn -- the score of the next topic that becomes empty

local function mark_empty(record)
    if not turn then
        local newest = call('ZRANGE', EMPTY, '-1', '-1', 'WITHSCORES')
        turn = newest[2] and tonumber(newest[2]) or 0
    end
    turn = turn + 1
    call('ZADD', EMPTY, digits(turn), record.topic)
end

-- ---- what is written at the end -----------------------------------------

local function save_index()
    call_with('ZADD', INDEX, added)
    added = {}
end

local RECORD = sub(string.rep(INTEGER .. ' ', 7), 1, -2)

local function save_records()
    local list = {}
    for _, r in ipairs(changed) do
        if not r.dropped then
            list[#list + 1] = r.topic
            list[#list + 1] = format(RECORD, r.count, r.bytes,
                r.evicted, r.newest_private, r.newest_public, r.ended, r.age)
        end
    end
    call_with('HSET', TOPICS, list)
end

local function save_ids()
    local set, unset = {}, {}
    for id in pairs(changed_ids) do
        if ids[id] then
            set[#set + 1] = id
            set[#set + 1] = digits(ids[id])
        else
            unset[#unset + 1] = id
        end
    end
    call_with('HSET', IDS, set)
    call_with('HDEL', IDS, unset)
end

local function add_note(field, topic)
    totals.note = totals.note + 1
    call('XADD', LOG, digits(totals.last) .. '-' .. digits(totals.note), field, topic)
end

-- MEMBER of T gone leaves the log and T gone.
local function drop_gone(member, position, cost)
    deleted[#deleted + 1] = digits(position) .. '-0'
    totals.gone = totals.gone - 1
    totals.gone_bytes = totals.gone_bytes - cost
    call('ZREM', GONE, member)
end

-- Drops the oldest of those that are gone: beyond the bounds all, and at most QUOTA of those
-- that are not among the newest positions any more.
local function enforce_grace(quota)
    local behind, at, step = totals.last - GRACE, 1, 4
    local members = call('ZRANGE', GONE, '0', step - 1)
    while members[at] do
        local position, cost = parse_gone(members[at])
        if totals.gone <= GRACE and totals.gone_bytes <= GRACE_BYTES and
            (quota <= 0 or position > behind) then
            return
        end
        drop_gone(members[at], position, cost)
        quota = quota - 1
        at = at + 1
        if at > #members then
            step = 64
            members = call('ZRANGE', GONE, '0', step - 1)
            at = 1
        end
    end
    totals.gone, totals.gone_bytes = 0, 0
end

-- Writes which updates are gone.
local function save_gone(quota)
    if totals.gone > 0 then
        call_with('ZADD', GONE, kept)
        enforce_grace(quota)
    end
end

-- Notes behind the last update are kept: a node may not have seen them.
local function save_log()
    if trimmed then
        call('XTRIM', LOG, 'MINID', trimmed < totals.last and digits(trimmed + 1) .. '-0'
            or digits(totals.last) .. '-1')
    end
    call_with('XDEL', LOG, deleted)
    for _, topic in ipairs(not_ended) do
        if not_ended[topic] then
            not_ended[topic] = nil
            add_note('e', topic)
        end
    end
end

-- Writes all that has changed, and tells the other nodes if NODE has made entries of the
-- log behind LAST and NOTE. QUOTA: so many updates that are gone leave the log, too.
local function save(node, last, note, quota)
    save_index()
    call_with('ZREM', INDEX, removed)
    save_records()
    save_ids()
    save_gone(quota or #kept / 2 + 16)
    save_log()
    save_totals()
    if totals.last ~= last or totals.note ~= note then
        publish_feed(node)
    end
end

-- ---- eviction -----------------------------------------------------------

local function get_update(position)
    local update = updates[position]
    if not update then
        local entry = get_entry(position)
        update = entry and parse_entry(entry)
        updates[position] = update
    end
    return update
end

-- RECORD's topic has not ended any more; with NOTED the nodes learn that from a note.
local function reopen(record, noted)
    record.ended = 0
    call('HDEL', ENDS, record.topic)
    if noted and not not_ended[record.topic] then
        not_ended[record.topic] = true
        insert(not_ended, record.topic)
    end
end

-- UPDATE at POSITION leaves the journal. Returns whether it leaves the log, too.
local function free_update(position, update)
    gone[position] = true
    totals.count = totals.count - 1
    totals.bytes = totals.bytes - update.cost
    if not is(update, HIDDEN) and position > totals.evicted then
        totals.evicted = position
    end
    if is(update, GIVEN) then
        ids[update.id] = false
        changed_ids[update.id] = true
    end
    if position <= totals.last - grace then
        return true
    end
    totals.gone = totals.gone + 1
    totals.gone_bytes = totals.gone_bytes + update.cost
    insert(kept, digits(position))
    insert(kept, digits(position) .. ' ' .. digits(update.cost) .. '\n' .. update.names)
    return false
end

-- UPDATE at POSITION, the oldest one of RECORD's topic, leaves the topic.
local function evict_member(record, position, update)
    record.evicted = position
    record.count = record.count - 1
    record.bytes = record.bytes - update.cost
    removed[#removed + 1] = member_of(record.topic, position)
    if record.members then
        record.at = record.at + 1
    end
    if record.count == 0 then
        mark_empty(record)
    end
    if record.ended == position then
        reopen(record, true)
    end
    touch(record)
end

local function is_held(position, update)
    local topics = update.topics
    for i = 1, #topics do
        local record = get_record(topics[i])
        if record and position > record.evicted then
            return true
        end
    end
    return false
end

-- The position of the oldest update of RECORD's topic, which holds one.
local function first_position(record)
    if not record.members or record.at > #record.members then
        save_index()
        record.step = math.min((record.step or 1) * 2, 64)
        record.members = positions_of(record.topic, record.evicted, nil, record.step)
        record.at = 1
    end
    local member = record.members[record.at]
    return member and position_in(member)
end

-- Evicts the oldest update of RECORD's topic from it.
local function evict_first(record)
    local position = first_position(record)
    local update = position and get_update(position)
    if not update then -- which is damage
        record.count, record.bytes = 1, 0
        evict_member(record, position or totals.last, {cost = 0})
        return
    end
    evict_member(record, position, update)
    if not is_held(position, update) and free_update(position, update) then
        deleted[#deleted + 1] = digits(position) .. '-0'
    end
end

local oldest, oldest_at, oldest_step, behind_oldest = {}, 1, 1, nil

-- Reads more entries of the log. Returns false at its end.
local function read_oldest()
    oldest_step = math.min(oldest_step * 2, 64)
    oldest_at = 1
    oldest = call('XRANGE', LOG, behind_oldest or digits(totals.floor + 1) .. '-0', '+',
        'COUNT', oldest_step)
    if #oldest == 0 then
        return false
    end
    behind_oldest = '(' .. oldest[#oldest][1]
    for position in pairs(gone_among(oldest)) do
        gone[position] = true
    end
    return true
end

-- Steps to the oldest update of the journal, which the caller evicts if it wants the next
-- one: its position and itself, or nil.
local function next_oldest()
    while true do
        local entry = oldest[oldest_at]
        if entry then
            oldest_at = oldest_at + 1
            local position, note = place_of(entry)
            if gone[position] then
                totals.floor = position
            elseif note == 0 then
                local update = updates[position] or parse_entry(entry)
                updates[position] = update
                return position, update
            end
        elseif not read_oldest() then
            return nil
        end
    end
end

-- Evicts the oldest update of the journal, which next_oldest() gave, from all its topics.
-- Returns how many these are.
local function evict_oldest(position, update)
    local topics, count = update.topics, 0
    for i = 1, #topics do
        local record = get_record(topics[i])
        if record and record.count > 0 and position > record.evicted then
            evict_member(record, position, update)
            count = count + 1
        end
    end
    totals.floor = position
    if free_update(position, update) then
        trimmed = position
    end
    return count
end

-- ---- limits -------------------------------------------------------------

-- "COUNT BYTES AGE ..." as numbers.
local function parse_numbers(text)
    local numbers = {}
    for number in gmatch(text, '%d+') do
        numbers[#numbers + 1] = tonumber(number)
    end
    return numbers
end

local function exceeds(held_count, held_bytes, count, bytes)
    return count ~= 0 and held_count > count or bytes ~= 0 and held_bytes > bytes
end

-- Evicts from RECORD's topic what exceeds LIMITS, at most LEFT updates. Returns how many
-- of LEFT remain.
local function enforce_limits(record, limits, left)
    while left > 0 and record.count > 0 and
        exceeds(record.count, record.bytes, limits[1], limits[2]) do
        evict_first(record)
        left = left - 1
    end
    return left
end

-- Evicts the oldest updates of all beyond POLICY. Each counts as many as it has topics;
-- ends when LEFT is used up. Returns what remains of it.
local function enforce_policy(policy, left)
    while left > 0 and exceeds(totals.count, totals.bytes, policy[1], policy[2]) do
        local position, update = next_oldest()
        if not position then
            break
        end
        left = left - math.max(1, evict_oldest(position, update))
    end
    return left
end

-- The time before which an update is too old, by an AGE of its topic and the policy's.
local function too_old(policy, age, now)
    local all = policy[3]
    if age == 0 or all ~= 0 and all < age then
        age = all
    end
    return age ~= 0 and age < now and now - age or 0
end

-- RECORD's topic keeps its updates for AGE from now on.
local function keep_age(record, age)
    if record.age == age then
        return
    end
    record.age = age
    touch(record)
    if age == 0 then
        call('ZREM', DUE, record.topic)
    else -- its oldest update may be too old already; a sweep finds out
        call('ZADD', DUE, '0', record.topic)
    end
end
