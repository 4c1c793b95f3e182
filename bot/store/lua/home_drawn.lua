-- `user` sees `shown` now, drawn by `me`; an empty one means that they look no more. A turn that
-- is still ours goes on for `turn` ms.
local viewers, shown, whose_turn = key('homes'), key('homes', 'shown'), key('homes', 'turn')
if arguments.shown == '' then
  redis.call('ZREM', viewers, arguments.user)
  redis.call('HDEL', shown, arguments.user)
elseif redis.call('ZSCORE', viewers, arguments.user) then
  redis.call('HSET', shown, arguments.user, arguments.shown)
  redis.call('PEXPIRE', shown, redis.call('PTTL', viewers))
end
if redis.call('GET', whose_turn) == arguments.me then redis.call('PEXPIRE', whose_turn, arguments.turn) end
return 1
