-- What is remembered that is like the incident `asking` of `service`. `names` are the indexes of
-- its file and its issues.
-- Answers how many incidents of the service there were since `since` (ms), the newest `limit` of
-- the service,
-- and `limit` of all services that stand in `names`: those with the file, then those with an issue.
local own = arguments.service .. '|' .. arguments.asking
local seen

local function read(names, found)
  local room = arguments.limit
  for _, name in ipairs(names) do
    if room <= 0 then break end
    for _, member in ipairs(redis.call('ZREVRANGE', key('recall', name), 0, arguments.limit)) do
      if room <= 0 then break end
      if not seen[member] and member ~= own then
        seen[member] = true
        local service, id = string.match(member, '^(.*)|([^|]*)$')
        local memory = service and redis.call('HGET', key('memory', service), id)
        if memory then found[#found + 1] = memory; room = room - 1 end
      end
    end
  end
  return found
end

local of_service = 'service:' .. arguments.service
local count = redis.call('ZCOUNT', key('recall', of_service), whole(arguments.since), '+inf')
local asked = redis.call('ZSCORE', key('recall', of_service), own)
if asked and tonumber(asked) >= arguments.since then count = count - 1 end
seen = {}
local newest = read({of_service}, {})
seen = {}
return {count, newest, read(arguments.issues, read({arguments.file}, {}))}
