-- The command entry of a job. Its consumer in the group `processors` says where the job stands: a processor's name
-- (running), `parked` (waiting for its next try), `ready` (to be taken up again). XLEN is the number of unfinished jobs.
local function acknowledge(entry)
  redis.call('XACK', KEYS[3], 'processors', entry)
  redis.call('XDEL', KEYS[3], entry)
end

-- Ages the entry so that XAUTOCLAIM with min-idle = lease finds it after delay_ms; longer delays are aged again by the
-- claim that comes too early, because a future time is clamped and the record's due_at decides anyway.
local function hold(entry, consumer, delay_ms, lease_ms)
  local idle_ms = math.max(0, lease_ms - delay_ms)
  redis.call('XCLAIM', KEYS[3], 'processors', consumer, 0, entry, 'IDLE', idle_ms, 'JUSTID')
end

-- Tells whether the command stream has an entry of this id; the id may be anything.
local function stands(entry)
  if type(entry) ~= 'string' or not string.find(entry, '^%d+-%d+$') then return false end
  local found = redis.pcall('XRANGE', KEYS[3], entry, entry)
  return not found.err and #found == 1
end

local function own(entry, consumer)
  redis.call('XCLAIM', KEYS[3], 'processors', consumer, 0, entry, 'JUSTID')
end
