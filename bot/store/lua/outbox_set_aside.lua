-- Moves `entry` out of the stream to the dead letters, with `reason` in words.
-- `why` is 'version' where another version may take it up (bot/outbox/dead_letters.py).
local entry = arguments.entry
if #redis.call('XPENDING', key('outbox'), arguments.group, entry, entry, 1) == 0 then return 0 end
local fields = fields_of(key('outbox'), entry)
if fields then
  fields.reason, fields.why = arguments.reason, arguments.why
  redis.call('XADD', key('outbox', 'aside'), '*', unpack(flat(fields)))
end
end_entry(entry)
return 1
