-- `user` looks at App Home for `span` ms; of all viewers only the newest `limit` are kept.
local viewers, shown = key('homes'), key('homes', 'shown')
redis.call('ZADD', viewers, whole(now() + arguments.span), arguments.user)
redis.call('HDEL', shown, arguments.user)
redis.call('ZREMRANGEBYRANK', viewers, 0, -1 - arguments.limit)
for _, name in ipairs({viewers, shown}) do redis.call('PEXPIRE', name, whole(math.max(1, arguments.span))) end
return 1
