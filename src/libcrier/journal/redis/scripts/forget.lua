-- ARGV: EPOCH NODE NOW TOPIC UPTO BUDGET
local failure = open_journal(ARGV[1])
if failure then
    return failure
end
local node, topic = ARGV[2], ARGV[4]
local upto, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local last, note = totals.last, totals.note
local record = get_record(topic)

-- The body of an update that is gone leaves at once, too.
local function forget_gone()
    local high = upto == 0 and totals.last or upto
    for _, member in ipairs(call('ZRANGEBYSCORE', GONE, '-inf', digits(high))) do
        local position, cost, names = parse_gone(member)
        if find('\n' .. names .. '\n', '\n' .. topic .. '\n', 1, true) then
            drop_gone(member, position, cost)
        end
    end
end

free_memory()
grace = 0
if totals.gone > 0 then
    forget_gone()
end
if not record or record.count == 0 then
    save(node, last, note)
    return {0, 0, upto, held()}
end
if upto == 0 then -- the first step
    upto = totals.last
    add_note('f', topic)
    if record.ended ~= 0 then
        reopen(record, false)
        touch(record)
    end
end
local more
for left = budget, 0, -1 do
    more = record.count > 0 and (first_position(record) or 0) <= upto
    if not more or left == 0 then
        break
    end
    evict_first(record)
end
save(node, last, note)
return {1, more and 1 or 0, upto, held()}
