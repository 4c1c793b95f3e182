-- Removes the timer `member` that is due at `at`, unless it was set again meanwhile.
local due = redis.call('ZSCORE', key('timers'), arguments.member)
if not due or tonumber(due) ~= arguments.at then return 0 end
redis.call('ZREM', key('timers'), arguments.member)
redis.call('HDEL', key('timers', 'actions'), arguments.member)
return 1
