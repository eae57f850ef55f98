-- The counts of streams, by selector: a node's own and the totals. It stands behind
-- prelude.lua in front of the scripts that change them.

local news = {} -- of totals, for the channel

-- NODE has counts, which are taken away when it dies, even if it has not said that it lives.
local function know_node(node)
    call('ZADD', NODES, 'NX', '0', node)
end

-- Adds CHANGE to the total of SELECTOR. Returns the total.
local function add_to_total(selector, change)
    local total = call('HINCRBY', CENSUS, selector, digits(change))
    if total <= 0 then
        call('HDEL', CENSUS, selector)
        total = 0
    end
    if change ~= 0 then
        news[#news + 1] = digits(total) .. ' ' .. selector
    end
    return total
end

-- The node now has COUNT streams that subscribe to SELECTOR. Returns the total.
local function set_count(selector, count)
    local field = 'c:' .. selector
    local before = tonumber(call('HGET', NODE, field) or 0)
    if count == 0 then
        call('HDEL', NODE, field)
    else
        call('HSET', NODE, field, digits(count))
    end
    return add_to_total(selector, count - before)
end

local function publish_counts()
    if #news > 0 then
        call('PUBLISH', CHANNEL .. 'census', concat(news, '\n'))
    end
end
