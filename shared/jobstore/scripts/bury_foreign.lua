#!lua flags=allow-oom
-- Takes an entry off the command stream that names no job of its partition; a dead letter keeps what it was.
-- KEYS   1 commands  2 dead
-- ARGV   1 entry id  2 error (JSON)
-- Reply  OK  |  GONE: the entry is not there (any more)
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then return {'GONE'} end

redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'job', '', 'reason', 'foreign', 'error', ARGV[2],
  'attempts', 0, 'failures', 0, 'crashes', 0, 'processor', '', 'events', '[]',
  'entry', string.sub(table.concat(found[2], ' '), 1, 1000))
redis.call('XACK', KEYS[1], 'processors', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return {'OK'}
