-- Redis' own clock, in milliseconds since 1970: the one clock that all leases and delays are measured by.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
