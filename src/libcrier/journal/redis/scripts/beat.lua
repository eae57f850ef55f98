-- ARGV: NODE MAX_AGE NAME STREAMS LIST
local node, max_age = ARGV[1], tonumber(ARGV[2])
local now = server_time()
local before = tonumber(call('ZSCORE', NODES, node) or 0)
local oldest = digits(now - max_age)

call('ZADD', NODES, digits(now), node)
call('HSET', NODE, 'name', ARGV[3], 'streams', ARGV[4])
call('EXPIRE', NODE, '86400')

local living = {}
if ARGV[5] ~= '0' then
    living = call('ZRANGEBYSCORE', NODES, oldest, '+inf', 'WITHSCORES', 'LIMIT', '0', ARGV[5])
    for i = 2, #living, 2 do
        living[i] = math.max(0, now - tonumber(living[i])) -- the clock may have been set back
    end
end
return {call('ZRANGEBYSCORE', NODES, '-inf', '(' .. oldest, 'LIMIT', '0', '100'),
    call('ZCOUNT', NODES, oldest, '+inf'), before == 0 and 1 or 0, living}
