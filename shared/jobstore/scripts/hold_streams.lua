#!lua flags=allow-oom
-- Notes how many streams of an owner a gateway has open, when they fit beside those of the other gateways. The number is
-- a gateway's whole one, so that a repetition changes nothing, and it counts for as long as its lease lasts: those of a
-- gateway that died are forgotten.
-- KEYS   1 the owner's streams: `<how many> <until when they count (ms)>` by gateway
-- ARGV   1 gateway  2 how many it has  3 lease (ms)  4 most streams of the owner, or empty to note it in any case
-- Reply  OK  |  FULL: nothing was changed; then how many the owner has on the other gateways
-- uses: clock
local now, elsewhere, lapsed = now_ms(), 0, {}
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local streams, counts_until = string.match(held[i + 1], '^(%d+) (%d+)$')
  if not streams or tonumber(counts_until) <= now then
    lapsed[#lapsed + 1] = held[i]
  elseif held[i] ~= ARGV[1] then
    elsewhere = elsewhere + tonumber(streams)
  end
end
if ARGV[4] ~= '' and elsewhere + tonumber(ARGV[2]) > tonumber(ARGV[4]) then return {'FULL', elsewhere} end

if #lapsed > 0 then redis.call('HDEL', KEYS[1], unpack(lapsed)) end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now + tonumber(ARGV[3])))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return {'OK', elsewhere}
