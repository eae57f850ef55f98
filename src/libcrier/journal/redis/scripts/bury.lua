-- ARGV: NODE MAX_AGE COUNT
local node, max_age, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local heard = call('ZSCORE', NODES, node)

if max_age ~= 0 and heard and tonumber(heard) >= server_time() - max_age then
    return {0, {}}
end
call('ZADD', NODES, 'XX', '0', node) -- its next BEAT finds out

-- Up to COUNT selectors that the node has a count of, and whether there may be others.
local function find_counts()
    local selectors, cursor = {}, '0'
    repeat
        local page = call('HSCAN', NODE, cursor, 'COUNT', count)
        cursor = page[1]
        for i = 1, #page[2], 2 do
            if sub(page[2][i], 1, 2) == 'c:' then
                if #selectors == count then
                    return selectors, true
                end
                selectors[#selectors + 1] = sub(page[2][i], 3)
            end
        end
    until cursor == '0'
    return selectors, false
end

local selectors, more = find_counts()
for _, selector in ipairs(selectors) do
    set_count(selector, 0)
end
publish_counts()
if more then -- if the node lives after all, it will hear from BEAT that it lacks counts
    call('ZADD', NODES, 'XX', '0', node)
else
    call('ZREM', NODES, node)
    if max_age == 0 then
        call('DEL', NODE)
    else -- it may live after all, and send a batch again
        call('EXPIRE', NODE, '86400')
    end
end
return {more and 1 or 0, selectors}
