-- The fence: whoever is superseded touches nothing. A run is fenced by epoch AND random token AND state.
-- Gives the record's numbers to the owner, or nil and the word that turns everybody else away:
--   GONE   there is no such job
--   DONE   this very claim has ended its run already: the success of a repeated call
--   STALE  somebody else owns the job by now
local function fence(epoch, token)
  local r = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'seq', 'entry', 'attempt', 'failures', 'crashes',
    'processor', 'run_at', 'cancel_requested')
  if not r[1] then return nil, 'GONE' end
  if r[2] ~= epoch or r[3] ~= token then return nil, 'STALE' end
  if r[1] ~= 'processing' then return nil, 'DONE' end
  return {
    epoch = tonumber(r[2]), seq = tonumber(r[4]), entry = r[5], attempt = tonumber(r[6]), failures = tonumber(r[7]),
    crashes = tonumber(r[8]), processor = r[9], run_at = tonumber(r[10]), cancel = r[11],
  }
end
