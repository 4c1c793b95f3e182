-- Stands before every script that the bot runs: the script itself is the bot's, to the letter.
-- Below it `redis` is the server under the driver's clock, which is the last argument: TIME, the lives of keys, the ids of
-- a stream, and how long an entry of it is idle. All else is the server's own.
local real = redis
local vnow = tonumber(table.remove(ARGV))
local vms = math.floor(vnow / 1000)
local special = {}

for _, ended in ipairs(real.call('ZRANGEBYSCORE', 'virtual:ttl', '-inf', string.format('%.0f', vms))) do
  real.call('DEL', ended)
  real.call('ZREM', 'virtual:ttl', ended)
end

local function vwhole(number) return string.format('%.0f', number) end

local function ends(run, key, ms)
  if ms then run('ZADD', 'virtual:ttl', vwhole(vms + ms), key) else run('ZREM', 'virtual:ttl', key) end
end

function special.TIME() return {vwhole(math.floor(vnow / 1000000)), vwhole(vnow % 1000000)} end

function special.SET(run, key, value, ...)
  local given, rest, ms, keep, i = {...}, {}, nil, false, 1
  while i <= #given do
    local option = string.upper(tostring(given[i]))
    if option == 'PX' then ms = tonumber(given[i + 1]); i = i + 1
    elseif option == 'EX' then ms = tonumber(given[i + 1]) * 1000; i = i + 1
    elseif option == 'KEEPTTL' then keep = true
    else rest[#rest + 1] = given[i] end
    i = i + 1
  end
  local answer = run('SET', key, value, unpack(rest))
  if type(answer) == 'table' and answer.ok and not keep then ends(run, key, ms) end
  return answer
end

function special.DEL(run, ...)
  local answer = run('DEL', ...)
  run('ZREM', 'virtual:ttl', ...)
  return answer
end

function special.GETDEL(run, key)
  ends(run, key)
  return run('GETDEL', key)
end

function special.PEXPIRE(run, key, ms)
  if run('EXISTS', key) == 0 then return 0 end
  if tonumber(ms) <= 0 then run('DEL', key); ends(run, key) else ends(run, key, tonumber(ms)) end
  return 1
end

function special.EXPIRE(run, key, seconds) return special.PEXPIRE(run, key, tonumber(seconds) * 1000) end

function special.PTTL(run, key)
  if run('EXISTS', key) == 0 then return -2 end
  local at = run('ZSCORE', 'virtual:ttl', key)
  return at and tonumber(at) - vms or -1
end

function special.TTL(run, key)
  local ms = special.PTTL(run, key)
  return ms > 0 and math.floor(ms / 1000) or ms
end

function special.XADD(run, key, ...)
  local given = {...}
  for i, word in ipairs(given) do
    if word == '*' then given[i] = run('INCR', 'virtual:entries') .. '-0'; break end
  end
  return run('XADD', key, unpack(given))
end

local function delivered(run, id) run('HSET', 'virtual:delivered', id, vwhole(vms)) end

function special.XREADGROUP(run, ...)
  local answer = run('XREADGROUP', ...)
  if type(answer) == 'table' and not answer.err then
    for _, stream in ipairs(answer) do
      for _, entry in ipairs(stream[2]) do delivered(run, entry[1]) end
    end
  end
  return answer
end

function special.XPENDING(run, key, group, ...)
  local answer = run('XPENDING', key, group, ...)
  if select('#', ...) > 0 and not answer.err then
    for _, entry in ipairs(answer) do
      entry[3] = math.max(0, vms - tonumber(run('HGET', 'virtual:delivered', entry[1]) or vwhole(vms)))
    end
  end
  return answer
end

function special.XCLAIM(run, key, group, consumer, idle, ...)
  local answer = run('XCLAIM', key, group, consumer, idle, ...)
  for _, word in ipairs({...}) do
    if string.find(word, '^%d+%-%d+$') then delivered(run, word) end
  end
  return answer
end

function special.XAUTOCLAIM(run, key, group, consumer, idle)
  local ids = {}
  local pending = run('XPENDING', key, group, '-', '+', 100)
  if pending.err then return pending end
  for _, entry in ipairs(pending) do
    local since = tonumber(run('HGET', 'virtual:delivered', entry[1]) or '0')
    if vms - since >= tonumber(idle) then ids[#ids + 1] = entry[1] end
  end
  if #ids == 0 then return {'0-0', {}, {}} end
  return {'0-0', special.XCLAIM(run, key, group, consumer, 0, unpack(ids)), {}}
end

local function through(run)
  return function(command, ...)
    local other = special[string.upper(command)]
    if other then return other(run, ...) end
    return run(command, ...)
  end
end

local redis = setmetatable({call = through(real.call), pcall = through(real.pcall)}, {__index = real})
