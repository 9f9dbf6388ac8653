#!lua flags=allow-oom
-- Hands command entries to a processor: those it was handed already but never got (a reply that was lost), those to be
-- taken up again, new ones.
-- KEYS   1 commands
-- ARGV   1 processor  2 most entries  3… ids of the entries that it has in hand
-- Reply  a list of (entry id, job id)
local taken, wanted, in_hand = {}, tonumber(ARGV[2]), {}
for i = 3, #ARGV do in_hand[ARGV[i]] = true end

local function add(entries)
  for _, entry in ipairs(entries) do
    taken[#taken + 1] = {entry[1], entry[2][2]}
  end
end

local function claim_from(consumer, most)
  for _, pending in ipairs(redis.call('XPENDING', KEYS[1], 'processors', '-', '+', most, consumer)) do
    if #taken < wanted and not in_hand[pending[1]] then
      -- Without JUSTID it answers with the entry, and drops one that was deleted meanwhile.
      add(redis.call('XCLAIM', KEYS[1], 'processors', ARGV[1], 0, pending[1]))
    end
  end
end

claim_from(ARGV[1], wanted + #ARGV - 2)
if #taken < wanted then claim_from('ready', wanted - #taken) end
if #taken < wanted then
  local new = redis.call('XREADGROUP', 'GROUP', 'processors', ARGV[1], 'COUNT', wanted - #taken, 'STREAMS', KEYS[1], '>')
  if new then add(new[1][2]) end
end
return taken
