-- Puts `entry` into the waiting room for `delay` ms: 'waiting'. It is 'over' where that is later
-- than `limit` ms
-- after the first try, and 'gone' where nobody holds the entry any more. `crashes` is added to its
-- own.
local entry, clock = arguments.entry, now()
if #redis.call('XPENDING', key('outbox'), arguments.group, entry, entry, 1) == 0 then return 'gone' end
local fields = fields_of(key('outbox'), entry)
if not fields then end_entry(entry); return 'gone' end
fields.first = whole(math.min(tonumber(fields.first or clock), clock)) -- later than now: the clock was set back
if clock + arguments.delay - tonumber(fields.first) > arguments.limit then return 'over' end
count_up(fields, 'attempt')
count_up(fields, 'crashes', arguments.crashes)
redis.call('ZADD', key('outbox', 'waiting'), whole(clock + arguments.delay), fields.id)
redis.call('HSET', key('outbox', 'waiting', 'fields'), fields.id, cjson.encode(fields))
end_entry(entry)
return 'waiting'
