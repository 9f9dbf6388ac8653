#!lua flags=allow-oom
-- Takes a dead letter away; its job stays failed until it expires.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 id of the dead letter
-- Reply  OK: there is no such letter (any more)
-- uses: letter
drop_letter(ARGV[1])
if redis.call('HGET', KEYS[1], 'dead_id') == ARGV[1] then redis.call('HDEL', KEYS[1], 'dead_id') end
return {'OK'}
