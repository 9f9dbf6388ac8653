"""Counts the jobs of a partition at one moment: those that have not ended, and those that count for their owners."""

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
return cjson.encode({unfinished, redis.call('ZRANGE', KEYS[1], 0, -1)})
"""


def take_census(redis_port: int, partition: int) -> Census:
    """Count a partition's jobs now. Raises OSError and ServerRefusedError while Redis is not there."""
    records = keys.of_job(partition, "").record
    unfinished, counted = json.loads(ask(redis_port, "EVAL", _COUNT, "1", keys.in_flight(partition), records))
    return Census(unfinished=frozenset(unfinished), counted=frozenset(counted))
