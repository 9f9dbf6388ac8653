#!lua flags=allow-oom,no-writes
-- Tells what stands in a partition's command stream, and in whose hands. Changes nothing; a replica may be asked too.
-- KEYS   1 commands  2 dead
-- ARGV   1 most consumers to name  2 most waiting entries to name
--        3 idle time (ms) up to which a consumer that holds nothing is named
-- Reply  OK, now (ms), unfinished, dead letters, whether the group is there (1 or 0), pending, parked, ready,
--        consumers that are not named, consumers (name, entries, idle ms), unread entries (id, job), ready ones (id, job)
--        FOREIGN, key: it holds something else than a stream
-- uses: clock
local unfinished, dead = redis.pcall('XLEN', KEYS[1]), redis.pcall('XLEN', KEYS[2])
if type(unfinished) == 'table' then return {'FOREIGN', KEYS[1]} end
if type(dead) == 'table' then return {'FOREIGN', KEYS[2]} end

local function as_table(flat)
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local groups, group = redis.pcall('XINFO', 'GROUPS', KEYS[1]), nil  -- an error: there is no such key
for _, flat in ipairs(groups.err and {} or groups) do
  local found = as_table(flat)
  if found['name'] == 'processors' then group = found end
end

local consumers, unnamed, held = {}, 0, {parked = 0, ready = 0}
for _, flat in ipairs(group and redis.call('XINFO', 'CONSUMERS', KEYS[1], 'processors') or {}) do
  local c = as_table(flat)
  if held[c['name']] then
    held[c['name']] = c['pending']
  elseif #consumers < tonumber(ARGV[1]) and (c['pending'] > 0 or c['idle'] <= tonumber(ARGV[3])) then
    consumers[#consumers + 1] = {c['name'], c['pending'], c['idle']}
  else
    unnamed = unnamed + 1
  end
end

local function named(entries)
  local found = {}
  for _, entry in ipairs(entries) do found[#found + 1] = {entry[1], entry[2][2] or ''} end
  return found
end

local after = group and '(' .. group['last-delivered-id'] or '-'
local unread = named(redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', ARGV[2]))
local ready = {}
for _, pending in ipairs(group and redis.call('XPENDING', KEYS[1], 'processors', '-', '+', ARGV[2], 'ready') or {}) do
  for _, entry in ipairs(named(redis.call('XRANGE', KEYS[1], pending[1], pending[1]))) do ready[#ready + 1] = entry end
end
return {'OK', now_ms(), unfinished, dead, group and 1 or 0, group and group['pending'] or 0, held.parked, held.ready,
  unnamed, consumers, unread, ready}
