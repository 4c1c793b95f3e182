-- Ends `entry`, whose result changes nothing, if the record is still of the version that it was judged by.
-- Answers as commit.lua does.
local version = tonumber(redis.call('HGET', key('incident', arguments.incident), 'version') or '0')
if version ~= arguments.version then return {'conflict', version} end
if #redis.call('XPENDING', key('outbox'), arguments.group, arguments.entry, arguments.entry, 1) == 0 then return {'gone'} end
end_entry(arguments.entry)
return {'done', version, now()}
