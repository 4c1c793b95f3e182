-- Puts other words in the place of a person in the key `arguments.key`, whatever it holds. Answers how many values were changed.
-- patterns: lists of a Lua pattern, what stands in its place, and a plain text without which the pattern need not be tried.
-- A record gets a new version, so that nobody who has read the old one can write it back.
local name, changed = arguments.key, 0

local function without(text)
  for _, pattern in ipairs(arguments.patterns) do
    if string.find(text, pattern[3], 1, true) then text = string.gsub(text, pattern[1], pattern[2]) end
  end
  return text
end

local function in_string()
  local old = redis.call('GET', name)
  local new = without(old)
  if new ~= old then changed = 1; redis.call('SET', name, new, 'KEEPTTL') end
end

local function in_hash()
  local records = key('incident', '')
  local record = string.sub(name, 1, #records) == records
  local all = redis.call('HGETALL', name)
  for i = 1, #all, 2 do
    local field, value = without(all[i]), without(all[i + 1])
    if record and field == 'short' then
      -- Whoever reads the short record next makes it anew.
      if value ~= all[i + 1] then redis.call('HDEL', name, field) end
    elseif field ~= all[i] then
      changed = changed + 1
      redis.call('HDEL', name, all[i])
      local free, number = field, 1
      while redis.call('HEXISTS', name, free) == 1 do number = number + 1; free = field .. number end
      redis.call('HSET', name, free, value)
    elseif value ~= all[i + 1] then
      changed = changed + 1
      redis.call('HSET', name, field, value)
    end
  end
  if changed > 0 and record then redis.call('HINCRBY', name, 'version', 1) end
end

local function in_list()
  for i, old in ipairs(redis.call('LRANGE', name, 0, -1)) do
    local new = without(old)
    if new ~= old then changed = changed + 1; redis.call('LSET', name, i - 1, new) end
  end
end

local function in_sorted_set()
  local all = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local new = without(all[i])
    if new ~= all[i] then
      changed = changed + 1
      redis.call('ZREM', name, all[i])
      redis.call('ZADD', name, all[i + 1], new)
    end
  end
end

-- An entry cannot be changed: it is added again and dropped. What it wants done may be done twice,
-- which is safe where the second try knows that it is the second (`PendingEntry.attempt`).
local function in_stream()
  for _, entry in ipairs(redis.call('XRANGE', name, '-', '+')) do
    local words, other = {}, false
    for i, old in ipairs(entry[2]) do
      words[i] = without(old)
      other = other or words[i] ~= old
    end
    if other then
      changed = changed + 1
      local wanted, attempt = false, 0
      for i = 1, #words, 2 do
        if words[i] == 'effect' then wanted = true end
        if words[i] == 'attempt' then attempt = i + 1 end
      end
      if attempt > 0 then
        words[attempt] = tostring(tonumber(words[attempt]) + 1)
      elseif wanted then
        words[#words + 1] = 'attempt'; words[#words + 1] = '1'
      end
      redis.call('XADD', name, '*', unpack(words))
      for _, group in ipairs(redis.call('XINFO', 'GROUPS', name)) do
        for at, field in ipairs(group) do
          if field == 'name' then redis.call('XACK', name, group[at + 1], entry[1]) end
        end
      end
      redis.call('XDEL', name, entry[1])
    end
  end
end

local in_each = {string = in_string, hash = in_hash, list = in_list, zset = in_sorted_set, stream = in_stream}
local change = in_each[redis.call('TYPE', name).ok]
if change then change() end

local renamed = without(name)
if renamed ~= name and redis.call('EXISTS', name) == 1 then
  changed = changed + 1
  if redis.call('RENAMENX', name, renamed) == 0 then redis.call('DEL', name) end
end
return changed
