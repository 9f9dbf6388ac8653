#!lua flags=allow-oom
-- Takes an entry off the command stream that names no job of its partition; a dead letter keeps what it was.
-- KEYS   1 record and 2 events of nobody  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 entry id  2 error (JSON)
-- Reply  OK  |  GONE: the entry is not there (any more)
-- uses: entry letter
local found = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])[1]
if not found then
  -- The repetition of a burial whose reply was lost finds its letter among the last ones.
  for _, letter in ipairs(redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 100)) do
    for i = 1, #letter[2], 2 do
      if letter[2][i] == 'entry_id' and letter[2][i + 1] == ARGV[1] then return {'OK'} end
    end
  end
  return {'GONE'}
end

write_letter('job', '', 'owner', '', 'epoch', 0, 'reason', 'foreign', 'error', ARGV[2], 'attempts', 0, 'failures', 0,
  'crashes', 0, 'processor', '', 'events', '[]', 'entry_id', ARGV[1], 'entry', string.sub(table.concat(found[2], ' '), 1, 1000))
acknowledge(ARGV[1])
return {'OK'}
