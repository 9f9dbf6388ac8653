-- Puts a callback into the outbox, due at once; it has by itself all that its delivery needs, because it may outlive the
-- record. The ids of a thousand files would be ten times as much as all else, and what is told has only their number.
local CARRIED = {'schema', 'state', 'options', 'progress', 'epoch', 'seq', 'attempt', 'error', 'bundle', 'traceparent',
  'created_at', 'updated_at', 'started_at', 'finished_at', 'expires_at'}

local function total_files()
  local file_ids = redis.call('HGET', KEYS[1], 'file_ids') or '[]'
  local _, commas = string.gsub(file_ids, ',', '')
  return commas + (string.find(file_ids, '%d') and 1 or 0)
end

local function what_is_carried(message)
  local values, carried = redis.call('HMGET', KEYS[1], unpack(CARRIED)), {message, 'total_files', total_files()}
  for i, name in ipairs(CARRIED) do
    if values[i] then
      carried[#carried + 1] = name
      carried[#carried + 1] = values[i]
    end
  end
  return cjson.encode(carried)
end

-- Makes room for a new callback among those of the job: what waits is superseded by it, if it tells the same people, and
-- of the settled ones of these the last MOST_SETTLED are kept. Gives the names that stay, the new one as the last.
local MOST_SETTLED = 20
local function make_room(job, new)
  local settled, gone, names = {}, {}, {}
  for _, name in ipairs(callbacks_of()) do
    if name ~= new and is_for_admins(name) == is_for_admins(new) then
      if not redis.call('HGET', KEYS[10], name .. ':state') then supersede(job, name) end
      if is_settled(name) then settled[#settled + 1] = name end
    end
  end
  for i = 1, #settled - MOST_SETTLED do gone[i], gone[settled[i]] = settled[i], true end
  for _, name in ipairs(callbacks_of()) do
    if name ~= new and not gone[name] then names[#names + 1] = name end
  end
  names[#names + 1] = new
  forget_callbacks(names, gone)
end

local function post(ending, name, letter)
  local owner = redis.pcall('HGET', KEYS[10], 'owner')
  if is_foreign(owner) then redis.call('DEL', KEYS[10]) end  -- an end must not fail halfway
  make_room(ending.job, name)
  local told = redis.call('HMGET', KEYS[1], 'owner', 'callback_url', 'deleted_at')
  -- A job has one owner, also when its record can no longer say whom: under that name its other callbacks count.
  if type(owner) ~= 'string' then owner = told[1] or '' end
  redis.call('HSET', KEYS[10], 'owner', owner, name, what_is_carried(ending.message))
  if told[2] then redis.call('HSET', KEYS[10], 'callback_url', told[2]) end
  if told[3] then redis.call('HSET', KEYS[10], 'deleted', 1) end
  if letter then redis.call('HSET', KEYS[10], name .. ':letter', cjson.encode(letter)) end
  redis.call('PERSIST', KEYS[10])
  enter_outbox(ending.job, name, ending.now, owner)
  redis.pcall('SPUBLISH', KEYS[9], '')
end
