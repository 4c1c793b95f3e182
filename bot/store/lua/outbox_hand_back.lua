-- What a stopping worker still holds becomes anybody's at once. Answers how many entries that were.
local outbox, count = key('outbox'), 0
local pending = redis.call('XPENDING', outbox, arguments.group, '-', '+', 10000, arguments.consumer)
for _, held in ipairs(pending) do
  local fields = fields_of(outbox, held[1])
  if fields then
    count_up(fields, 'attempt')
    redis.call('XADD', outbox, '*', unpack(flat(fields)))
    count = count + 1
  end
  end_entry(held[1])
end
redis.call('XGROUP', 'DELCONSUMER', outbox, arguments.group, arguments.consumer)
return count
