-- ARGV: EPOCH AFTER UPTO COUNT BYTES, then TOPIC ...
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local after, upto = tonumber(ARGV[2]), tonumber(ARGV[3])
local count, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local entries, size, reached = {}, 0, upto

local function is_full()
    return #entries >= count or size >= bytes
end

local function add(entry)
    entries[#entries + 1] = entry
    size = size + #(entry[2][2] or '') + #(entry[2][4] or '')
end

-- Reads the log itself, which has notes as well; these count for COUNT, too, so that one
-- call does not take long.
local function read_all()
    local behind, looked = digits(after + 1) .. '-0', 0
    while looked < count do
        local step = math.min(count - looked, 32)
        local part = call('XRANGE', LOG, behind, digits(upto), 'COUNT', step)
        local gone = gone_among(part)
        for _, entry in ipairs(part) do
            local position, note = place_of(entry)
            if is_full() then
                return
            end
            reached = position
            if note == 0 and not gone[position] then
                add(entry)
            end
        end
        if #part < step then
            reached = upto
            return
        end
        behind = '(' .. part[#part][1]
        looked = looked + step
    end
end

-- Reads what the topics hold: the positions of each first, as many as are likely to do.
-- All topics are known up to the lowest position at which one of them was cut off.
local function read_topics()
    local topics = #ARGV - 5
    local step = math.max(8, math.ceil(count / topics))
    local positions, seen = {}, {}
    for i = 6, #ARGV do
        local members = positions_of(ARGV[i], after, upto, step)
        for _, member in ipairs(members) do
            local position = position_in(member)
            if not seen[position] then
                seen[position] = true
                positions[#positions + 1] = position
            end
        end
        if #members == step then
            reached = math.min(reached, position_in(members[step]))
        end
    end
    table.sort(positions)
    for i, position in ipairs(positions) do
        if position > reached then
            return
        end
        if is_full() then
            reached = positions[i - 1]
            return
        end
        local entry = get_entry(position)
        if entry then
            add(entry)
        end
    end
end

if #ARGV > 5 then
    read_topics()
else
    read_all()
end
return {reached, entries}
