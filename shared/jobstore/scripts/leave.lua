#!lua flags=allow-oom
-- Gives up what a processor holds in a partition beside its runs: entries that it never claimed, and its offices.
-- KEYS   1 commands  2 wake  3… the locks of the offices
-- ARGV   1 processor  2… ids of the entries that it has in hand, and keeps
-- Reply  OK, also when there was nothing to give up
local kept, gives_back = {}, false
for i = 2, #ARGV do kept[ARGV[i]] = true end

for i = 3, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if holder == ARGV[1] or holder == 'interim ' .. ARGV[1] then redis.call('DEL', KEYS[i]) end  -- interim: sweep.lua
end
-- Entries whose reply was lost are among them: nobody but Redis knows that they are ours.
local most = 2000  -- twice the slots that a processor can have
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], 'processors', '-', '+', most, ARGV[1])) do
  if not kept[pending[1]] then
    redis.call('XCLAIM', KEYS[1], 'processors', 'ready', 0, pending[1], 'JUSTID')
    gives_back = true
  end
end
if gives_back then redis.pcall('SPUBLISH', KEYS[2], '') end
return 'OK'
