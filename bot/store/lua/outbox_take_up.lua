-- Puts the dead letter `entry` back: a timer among the timers, an effect into the stream.
-- One step, so that two replicas do not both take it up.
local aside = key('outbox', 'aside')
local fields = fields_of(aside, arguments.entry)
if not fields then return 0 end
if fields.timer then
  local member = fields.incident .. '|' .. fields.timer
  if not redis.call('ZSCORE', key('timers'), member) then
    redis.call('ZADD', key('timers'), fields.at, member)
    redis.call('HSET', key('timers', 'actions'), member, fields.effect)
  end
else
  count_up(fields, 'attempt')
  fields.reason, fields.why, fields.first = nil, nil, nil
  redis.call('XADD', key('outbox'), '*', unpack(flat(fields)))
end
redis.call('XDEL', aside, arguments.entry)
return 1
