#!lua flags=allow-oom
-- Makes sure that a partition has its consumer group. A script, because XGROUP CREATE alone is refused by a full Redis,
-- also when the group is there, and then no processor could start to empty it.
-- KEYS   1 commands
-- ARGV   none
-- Reply  1 when the group is new, else 0
-- From 0, never from $: an entry that is older than the group must not be lost.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], 'processors', '0', 'MKSTREAM')
if not made.err then return 1 end
if string.find(made.err, '^BUSYGROUP') then return 0 end
return made
