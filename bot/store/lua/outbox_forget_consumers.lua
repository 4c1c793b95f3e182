-- Removes consumers that hold nothing and did nothing for `idle` ms.
-- One script: a consumer that wakes up in between would lose what it reads.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key('outbox'), arguments.group)) do
  local info = {}
  for i = 1, #consumer, 2 do info[consumer[i]] = consumer[i + 1] end
  if info.pending == 0 and info.idle > arguments.idle then
    redis.call('XGROUP', 'DELCONSUMER', key('outbox'), arguments.group, info.name)
  end
end
return 1
