-- Timers that are due at `at` (without it: now), at most `limit`. Answers whether the clock of Redis was set back, which
-- has to be seen to first (clock_rewind.lua), the clock, and of each timer member, due in ms, action; all flat.
-- A clock that went on is written down here, too: most looks need no other script.
local clock = now()
if not arguments.at then
  local seen = tonumber(redis.call('GET', key('clock')) or '0')
  if clock <= seen - arguments.least then return {1, clock} end
  if clock >= seen + arguments.least then redis.call('SET', key('clock'), whole(clock)) end
end
local found = redis.call('ZRANGEBYSCORE', key('timers'), '-inf', whole(arguments.at or clock),
  'WITHSCORES', 'LIMIT', 0, arguments.limit)
local answer = {0, clock}
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = whole(found[i + 1])
  answer[#answer + 1] = redis.call('HGET', key('timers', 'actions'), found[i]) or ''
end
return answer
