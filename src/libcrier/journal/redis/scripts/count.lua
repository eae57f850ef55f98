-- ARGV: NODE, then SELECTOR COUNT ...
know_node(ARGV[1])
local counts = {}
for i = 2, #ARGV, 2 do
    counts[#counts + 1] = set_count(ARGV[i], tonumber(ARGV[i + 1]))
end
publish_counts()
return counts
