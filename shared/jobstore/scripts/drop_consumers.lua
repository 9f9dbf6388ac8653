#!lua flags=allow-oom
-- Removes the consumers of processors that are gone. Only those that own nothing: with a consumer Redis drops its pending
-- entries, and their jobs would be lost. Seen and removed in one script, so that none comes to own something in between.
-- KEYS   1 commands
-- ARGV   1 least time without a sign of life (ms)  2 most consumers to remove
-- Reply  the names of those that were removed
local found, removed = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], 'processors'), {}
if found.err then return {} end  -- no stream or no group: no consumer either

for _, flat in ipairs(found) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  local name = consumer['name']
  local is_place = name == 'parked' or name == 'ready'  -- where entries stand, and nobody's process
  if not is_place and consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[1]) and #removed < tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'processors', name)
    removed[#removed + 1] = name
  end
end
return removed
