-- ARGV: NODE MAX_AGE
local node, max_age = ARGV[1], tonumber(ARGV[2])
local now = server_time()
local before = tonumber(call('ZSCORE', NODES, node) or 0)
local oldest = digits(now - max_age)

call('ZADD', NODES, digits(now), node)
call('EXPIRE', NODE, '86400')
return {call('ZRANGEBYSCORE', NODES, '-inf', '(' .. oldest, 'LIMIT', '0', '100'),
    call('ZCOUNT', NODES, oldest, '+inf'), before == 0 and 1 or 0}
