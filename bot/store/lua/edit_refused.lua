-- Slack refused the edit `id`, which does not count as one: no edit for `wait` ms, no bursts for
-- `strict` ms.
-- rate and burst: as for edit_spend.
local pause, bucket = key('live', 'pause'), key('live', 'bucket')
redis.call('ZREM', key('live', 'budget'), arguments.id)
if redis.call('PTTL', pause) < arguments.wait then redis.call('SET', pause, '429', 'PX', whole(arguments.wait)) end
redis.call('SET', key('live', 'strict'), '429', 'PX', whole(arguments.strict))
redis.call('HSET', bucket, 'left', '0', 'at', whole(now()))
redis.call('PEXPIRE', bucket, math.ceil(60000 * arguments.burst / arguments.rate))
return 0
