#!lua
-- One commit of one incident: everything is checked before the first write, and nothing after it can fail.
-- The shebang makes the server refuse the whole script when it is out of memory, read-only or cannot save (Redis 7, Valkey).
--
-- KEYS[1] the prefix with the hash tag; every other key is made from it.
-- ARGV[1] the request as JSON (bot/store.py, `Request`); ARGV[2] the record, which this script does not look into.
--
-- Answers:  done <version> <server ms> | already <incident> <version> | duplicate <incident> <claim> | gone
--           late <server ms> | conflict <version> | taken <claim> <owner>

local prefix = KEYS[1]
local request = cjson.decode(ARGV[1])
local incident = request.incident
local base = request.base

local function key(...) return prefix .. ':' .. table.concat({...}, ':') end
local function whole(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local outbox = key('outbox')
local timers, timer_actions = key('timers'), key('timers', 'actions')
local commit = key('commit', request.commit)
local record = key('incident', incident)

-- 1. checks -----------------------------------------------------------------------------------------------------

local earlier = redis.call('HMGET', commit, 'incident', 'version')
if earlier[1] then return {'already', earlier[1], tonumber(earlier[2])} end

for _, claim in ipairs(request.deliveries) do
  local seen = redis.call('GET', key('delivery', claim))
  if seen then return {'duplicate', seen, claim} end
end

if request.timer then
  local due = redis.call('ZSCORE', timers, request.timer.member)
  if not due or tonumber(due) ~= request.timer.at then return {'gone'} end
end

if request.entry then
  -- pcall: without the consumer group nothing is pending, and that is an answer, no error.
  local pending = redis.pcall('XPENDING', outbox, request.group, request.entry, request.entry, 1)
  if pending.err or #pending == 0 then return {'gone'} end
end

if request.deadline and now > request.deadline then return {'late', now} end

local version = tonumber(redis.call('HGET', record, 'version') or '0')
if base > 0 and version ~= base then return {'conflict', version} end

for _, claim in ipairs(request.claims) do
  local owner = redis.call('GET', key('claim', claim.key))
  -- A new incident owns nothing yet: its own number, taken, means that somebody else has it.
  if owner and not claim.soft and (owner ~= incident or base == 0) then return {'taken', claim.key, owner} end
end

if version ~= base then return {'conflict', version} end

-- 2. writes -----------------------------------------------------------------------------------------------------

version = base + 1
redis.call('HSET', record, 'version', version, 'record', ARGV[2])

for _, entry in ipairs(request.entries) do redis.call('RPUSH', key('timeline', incident), entry) end

-- What can be taken back stands beside the list, which only grows: the newest words of a ref, until they are erased.
for _, one in ipairs(request.words or {}) do redis.call('HSET', key('words', incident), one.ref, one.entry) end
for _, ref in ipairs(request.erased or {}) do redis.call('HDEL', key('words', incident), ref) end

for i, effect in ipairs(request.effects) do
  redis.call('XADD', outbox, '*', 'incident', incident, 'id', incident .. '.' .. version .. '.' .. i,
    'created', whole(now), 'effect', effect)
end

local function drop_timer(member)
  redis.call('ZREM', timers, member)
  redis.call('HDEL', timer_actions, member)
end
if request.timer then drop_timer(request.timer.member) end
for _, member in ipairs(request.cancels) do drop_timer(member) end
for _, timer in ipairs(request.timers) do
  redis.call('ZADD', timers, whole(timer.at), timer.member)
  redis.call('HSET', timer_actions, timer.member, timer.action)
end

for _, name in ipairs(request.releases) do
  if redis.call('GET', key('claim', name)) == incident then redis.call('DEL', key('claim', name)) end
end
for _, claim in ipairs(request.claims) do
  local owner = redis.call('GET', key('claim', claim.key))
  if not owner or owner == incident then
    if claim.ms then
      redis.call('SET', key('claim', claim.key), incident, 'PX', whole(claim.ms))
    else
      redis.call('SET', key('claim', claim.key), incident)
    end
  end
end

-- One counter for all marks, never used twice: "nothing newer" stays true after a mark was cleared and set again.
for _, member in ipairs(request.dirty) do
  redis.call('HSET', key('dirty'), member, redis.call('INCR', key('dirty', 'counter')))
end

for _, name in ipairs(request.unindex) do redis.call('ZREM', key('index', name), incident) end
for _, name in ipairs(request.index) do redis.call('ZADD', key('index', name), request.number, incident) end

-- The memory of it (bot/memory.py reads it), beside its record: never older than what it remembers.
local memory = request.memory
if memory then
  if memory.record then
    redis.call('HSET', key('memory', memory.service), incident, memory.record)
  else
    redis.call('HDEL', key('memory', memory.service), incident)
  end
  for _, name in ipairs(memory.unindex) do redis.call('ZREM', key('recall', name), memory.member) end
  for _, name in ipairs(memory.index) do redis.call('ZADD', key('recall', name), whole(memory.at), memory.member) end
end

if request.entry then
  redis.call('XACK', outbox, request.group, request.entry)
  redis.call('XDEL', outbox, request.entry)
end

for _, claim in ipairs(request.deliveries) do
  redis.call('SET', key('delivery', claim), incident, 'PX', whole(request.delivery_ms))
end
redis.call('HSET', commit, 'incident', incident, 'version', version)
redis.call('PEXPIRE', commit, whole(request.commit_ms))

return {'done', version, now}
