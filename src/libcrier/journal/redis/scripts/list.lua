-- ARGV: EPOCH FROM UPTO COUNT [SHORT]
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local names = call('ZRANGEBYLEX', NAMES, ARGV[2] == '' and '-' or '[' .. ARGV[2],
    ARGV[3] == '' and '+' or '(' .. ARGV[3], 'LIMIT', '0', ARGV[4])
local records = get_fields(TOPICS, names)

-- The first position that TOPIC holds with COMMAND, its id and its time.
local function describe(topic, command, low, high)
    local member = call(command, INDEX, low, high, 'LIMIT', '0', '1')[1]
    local position = member and position_in(member)
    local entry = position and get_entry(position)
    if not entry then
        return 0, '', 0
    end
    local update = parse_entry(entry)
    return position, update.id, correct_time(position, update.time)
end

local list = {}
for i, topic in ipairs(names) do
    if ARGV[5] then
        list[i] = {topic, records[i] or ''}
    else
        local low, high = '[' .. topic .. '\0', '(' .. topic .. '\1'
        local first, first_id, first_time = describe(topic, 'ZRANGEBYLEX', low, high)
        local last, last_id, time = describe(topic, 'ZREVRANGEBYLEX', high, low)
        list[i] = {topic, records[i] or '', first, first_id, first_time, last, last_id, time}
    end
end
return list
