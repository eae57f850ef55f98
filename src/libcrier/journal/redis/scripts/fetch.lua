local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local behind = '(' .. ARGV[2] .. '-' .. ARGV[3]
-- A script that was stopped half way may have left entries behind the end.
local upto = digits(totals.last) .. '-' .. digits(totals.note)
local count, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local entries, size = {}, 0
while #entries < count and size < bytes do
    local step = math.min(count - #entries, 32)
    local part = call('XRANGE', LOG, behind, upto, 'COUNT', step)
    for i = 1, #part do
        if size >= bytes then
            break
        end
        local fields = part[i][2]
        size = size + #fields[2] + #(fields[4] or '')
        entries[#entries + 1] = part[i]
    end
    if #part < step then
        break
    end
    behind = '(' .. part[#part][1]
end
return {held(), totals.corrected_upto, totals.corrected_time, entries}
