-- The incidents that stand in all of `indexes` (two or more), the newest first: id, record, id,
-- record ...
local indexes, found = {}, {}
for i, name in ipairs(arguments.indexes) do indexes[i] = key('index', name) end
local ids = redis.call('ZINTER', #indexes, unpack(indexes))
for i = #ids, 1, -1 do
  found[#found + 1] = ids[i]
  found[#found + 1] = redis.call('HGET', key('incident', ids[i]), 'record') or ''
end
return found
