-- Keeps the short records that were made anew, of those incidents whose record is still of that version.
for i, id in ipairs(arguments.incidents) do
  local name = key('incident', id)
  if redis.call('HGET', name, 'version') == whole(arguments.versions[i]) then
    redis.call('HSET', name, 'short', arguments.records[i])
  end
end
return 0
