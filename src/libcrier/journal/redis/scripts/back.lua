-- ARGV: EPOCH BEFORE COUNT, then TOPIC ...
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local before, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {}

local function add(position, entry)
    found[#found + 1] = {position, entry[2][2]}
end

local function read_all()
    local gone = gone_between('-inf', '(' .. digits(before))
    local position, entry = update_upto(before - 1, gone)
    while position and #found < count do
        add(position, entry)
        position, entry = update_upto(position - 1, gone)
    end
end

-- What one topic holds, downwards.
local cursors = {}

-- The position at which CURSOR stands; 0 at its end.
local function position_at(cursor)
    if cursor.at > #cursor.members then
        if cursor.at <= cursor.step then -- the last ones were fewer than asked for
            return 0
        end
        cursor.step = math.min(cursor.step * 2, 64)
        cursor.members = call('ZREVRANGEBYLEX', INDEX, cursor.upto, '[' .. cursor.topic ..
            '\0', 'LIMIT', '0', cursor.step)
        cursor.at = 1
        if #cursor.members == 0 then
            return 0
        end
        cursor.upto = '(' .. cursor.members[#cursor.members]
    end
    return position_in(cursor.members[cursor.at])
end

local function read_topics()
    for i = 4, #ARGV do
        cursors[i - 3] = {
            topic = ARGV[i], upto = '(' .. member_of(ARGV[i], before), members = {},
            at = 2, step = 1,
        }
    end
    while #found < count do
        local newest = 0
        for _, cursor in ipairs(cursors) do
            cursor.position = cursor.position or position_at(cursor)
            newest = math.max(newest, cursor.position)
        end
        if newest == 0 then
            return
        end
        for _, cursor in ipairs(cursors) do
            if cursor.position == newest then
                cursor.at = cursor.at + 1
                cursor.position = nil
            end
        end
        local entry = get_entry(newest)
        if entry then
            add(newest, entry)
        end
    end
end

if #ARGV > 3 then
    read_topics()
else
    read_all()
end
return found
