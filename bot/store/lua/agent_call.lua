-- Counts a call among those of the last `window` ms: 0 for go, else the ms after which to ask again.
-- of: whose calls, and of which kind. call: the id of this one. limit: so many in a window.
local calls, clock = key('agents', arguments.of), now()
redis.call('ZREMRANGEBYSCORE', calls, '-inf', whole(clock - arguments.window))
if redis.call('ZCARD', calls) >= arguments.limit then
  local first = redis.call('ZRANGE', calls, 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(first[2]) + arguments.window - clock)
end
redis.call('ZADD', calls, whole(clock), arguments.call)
redis.call('PEXPIRE', calls, arguments.window)
return 0
