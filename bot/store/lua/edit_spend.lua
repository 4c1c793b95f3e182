-- Takes one edit out of the budget: 0 for go, else the ms after which to ask again.
-- id: of this edit. leave: edits that stay in the bucket for what matters more. strict: edits in a
-- strict minute.
-- rate: edits a minute that the bucket fills with. burst: what it holds. window: ms of a strict
-- minute.
-- member: the live message that is edited. With the go it is forgotten what it shows: until Slack
-- says so, nobody knows.
local pause = redis.call('PTTL', key('live', 'pause'))
if pause > 0 then return pause end
local edits, bucket, clock = key('live', 'budget'), key('live', 'bucket'), now()
local rate, burst, window = arguments.rate / 60000, arguments.burst, arguments.window
redis.call('ZREMRANGEBYSCORE', edits, '-inf', whole(clock - window))
if redis.call('EXISTS', key('live', 'strict')) == 1 then
  local used = redis.call('ZCARD', edits)
  if used >= arguments.strict then
    local at = used - arguments.strict
    local leaves = redis.call('ZRANGE', edits, at, at, 'WITHSCORES')
    return math.max(1, tonumber(leaves[2]) + window - clock)
  end
else
  local had = redis.call('HMGET', bucket, 'left', 'at')
  local left = burst
  if had[1] then left = math.min(burst, tonumber(had[1]) + math.max(0, clock - tonumber(had[2])) * rate) end
  if left < arguments.leave + 1 then return math.max(1, math.ceil((arguments.leave + 1 - left) / rate)) end
  redis.call('HSET', bucket, 'left', string.format('%.6f', left - 1), 'at', whole(clock))
  redis.call('PEXPIRE', bucket, math.ceil(burst / rate))
end
redis.call('ZADD', edits, whole(clock), arguments.id)
redis.call('PEXPIRE', edits, window)
if arguments.member then redis.call('DEL', key('live', 'rendered', arguments.member)) end
return 0
