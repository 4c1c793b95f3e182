-- Moves what is due from the waiting room into the stream. Answers the ms until the next one is
-- due, or -1.
local waiting, waiting_fields, clock = key('outbox', 'waiting'), key('outbox', 'waiting', 'fields'), now()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', whole(clock), 'LIMIT', 0, 100)) do
  local fields = redis.call('HGET', waiting_fields, id)
  if fields then redis.call('XADD', key('outbox'), '*', unpack(flat(cjson.decode(fields)))) end
  redis.call('ZREM', waiting, id)
  redis.call('HDEL', waiting_fields, id)
end
local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, tonumber(first[2]) - clock)
