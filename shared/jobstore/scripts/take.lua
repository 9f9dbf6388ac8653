#!lua flags=allow-oom
-- Hands command entries to a processor: first those to be taken up again, then new ones.
-- KEYS   1 commands
-- ARGV   1 processor  2 most entries
-- Reply  a list of (entry id, job id)
local taken, wanted = {}, tonumber(ARGV[2])

local function add(entries)
  for _, entry in ipairs(entries) do
    taken[#taken + 1] = {entry[1], entry[2][2]}
  end
end

for _, ready in ipairs(redis.call('XPENDING', KEYS[1], 'processors', '-', '+', wanted, 'ready')) do
  -- Without JUSTID it answers with the entry, and drops one that was deleted meanwhile.
  add(redis.call('XCLAIM', KEYS[1], 'processors', ARGV[1], 0, ready[1]))
end
if #taken < wanted then
  local new = redis.call('XREADGROUP', 'GROUP', 'processors', ARGV[1], 'COUNT', wanted - #taken, 'STREAMS', KEYS[1], '>')
  if new then add(new[1][2]) end
end
return taken
