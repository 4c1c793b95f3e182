-- Timers that are due at `at` (without it: now), at most `limit`. Answers member, due in ms, action; flat.
local found = redis.call('ZRANGEBYSCORE', key('timers'), '-inf', whole(arguments.at or now()),
  'WITHSCORES', 'LIMIT', 0, arguments.limit)
local answer = {}
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = whole(found[i + 1])
  answer[#answer + 1] = redis.call('HGET', key('timers', 'actions'), found[i]) or ''
end
return answer
