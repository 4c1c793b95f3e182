-- The short records (bot/store/short_records.py) of the incidents in `index` whose number is below `below`, the newest
-- first, at most `limit`.
-- Answers: the number of the last one, '' where there are no more; one JSON array; the ids of those whose short record is
-- missing, or is of another version than their record.
local below = arguments.below and '(' .. whole(arguments.below) or '+inf'
local index = key('index', arguments.index)
local ids = redis.call('ZRANGE', index, below, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, arguments.limit)
local records, behind = {}, {}
local record = key('incident', '')
for _, id in ipairs(ids) do
  local kept = redis.call('HMGET', record .. id, 'version', 'short')
  local begins = '[' .. (kept[1] or '') .. ','
  if kept[2] and string.sub(kept[2], 1, #begins) == begins then
    records[#records + 1] = kept[2]
  else
    behind[#behind + 1] = id
  end
end
local last = #ids == arguments.limit and redis.call('ZSCORE', index, ids[#ids]) or ''
return {last, '[' .. table.concat(records, ',') .. ']', behind}
