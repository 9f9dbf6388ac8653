"""Counts a partition at one moment: jobs that have not ended, callbacks that wait, and what counts for owners."""

import json

from deploy.local.resp import ask
from shared.jobstore import keys
from tests.chaos.history import Census

# One script: no job begins or ends between the two. The names of records are looked for, which only tests may do.
_COUNT = """
local is_over, unfinished = {completed = true, failed = true, cancelled = true}, {}
for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local r = redis.call('HMGET', name, 'state', 'owner')
  if not is_over[r[1]] then unfinished[#unfinished + 1] = (r[2] or '') .. ' ' .. string.sub(name, #ARGV[1] + 1) end
end
local waiting = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local a, b, c, d, e = string.match(id, '^msg_(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x+)_%d+$')
  if a then  -- it is not the admins'
    local owner = redis.call('HGET', ARGV[2] .. table.concat({a, b, c, d, e}, '-'), 'owner')
    waiting[#waiting + 1] = (owner or '') .. ' ' .. id
  end
end
local function all(key) return redis.call('ZRANGE', key, 0, -1) end
return cjson.encode({unfinished, all(KEYS[1]), waiting, all(KEYS[3])})
"""


def take_census(redis_port: int, partition: int) -> Census:
    """Count a partition's jobs now. Raises OSError and ServerRefusedError while Redis is not there."""
    names = keys.of_job(partition, "")
    sets = (names.in_flight, names.outbox, names.waiting_callbacks)
    found = json.loads(ask(redis_port, "EVAL", _COUNT, "3", *sets, names.record, names.callbacks))
    unfinished, counted, waiting, counted_callbacks = map(frozenset, found)
    return Census(unfinished=unfinished, counted=counted, waiting=waiting, counted_callbacks=counted_callbacks)
