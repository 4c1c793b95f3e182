-- Moves what waits by the time by which the clock of Redis was set back since anybody looked.
-- Answers that step in ms (0: there is none) and the clock. A replica that comes second finds the new time
-- written down and moves nothing. What it was shown of a timer before (its old moment) is "gone" to a commit.
-- What Redis itself reckons by its clock moves, too: how long keys live, and how long a dead worker holds an entry.
local clock = now()
local seen = tonumber(redis.call('GET', key('clock')) or '0')
if math.abs(clock - seen) < arguments.least then return {0, clock} end
redis.call('SET', key('clock'), whole(clock))
if clock > seen then return {0, clock} end
local step = seen - clock

for _, name in ipairs({'timers', 'outbox:waiting', 'live:budget'}) do
  local near = redis.call('ZRANGEBYSCORE', key(name), '-inf', whole(seen + arguments.near))
  for _, member in ipairs(near) do redis.call('ZINCRBY', key(name), whole(-step), member) end
end

local filled = redis.call('HGET', key('live:bucket'), 'at')
if filled then redis.call('HSET', key('live:bucket'), 'at', whole(tonumber(filled) - step)) end

local pending = redis.pcall('XPENDING', key('outbox'), arguments.group, '-', '+', 10000)
if not pending.err then
  for _, entry in ipairs(pending) do
    redis.call('XCLAIM', key('outbox'), arguments.group, entry[2], 0, entry[1], 'JUSTID')
  end
end

local pattern = string.gsub(KEYS[1], '[%[%]?*\\]', '\\%0') .. ':*'
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = found[1]
  for _, name in ipairs(found[2]) do
    local lives = redis.call('PTTL', name)
    if lives > 0 and lives > step - arguments.unseen then
      redis.call('PEXPIRE', name, whole(lives - step))  -- one that is over is deleted by it
    end
  end
until cursor == '0'
return {step, clock}
