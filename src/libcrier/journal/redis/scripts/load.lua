-- ARGV: EPOCH UPTO COUNT BYTES
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local upto, count, bytes = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local entries, size, step = {}, 0, 1

while #entries < count and size < bytes do
    local part = call('XREVRANGE', LOG, upto, '-', 'COUNT', math.min(step, count - #entries))
    if #part == 0 then
        break
    end
    for _, entry in ipairs(part) do
        if size >= bytes then
            break
        end
        size = size + #entry[2][2] + #(entry[2][4] or '')
        entries[#entries + 1] = entry
    end
    upto = '(' .. part[#part][1]
    step = math.min(step * 2, 32) -- the first ones may be large
end
return entries
