-- One commit of one incident, or of several that change together (a merge, a split).
-- Everything is checked before the first write, and nothing after it can fail.
-- There is no shebang, which servers before Redis 7 do not read. So a server that is full, read-only, cannot save or has
-- too few replicas refuses a write, not the script, and it refuses the first one only: "If the script already made a
-- modification to the dataset, we can't fail it on unpredictable error state" (Redis, src/script.c
-- scriptVerifyWriteCommandAllow and scriptVerifyOOM; 6.2: src/scripting.c, lua_write_dirty). The first write here is one
-- that each of these servers refuses; what it says is the answer, and nothing was written.
--
-- The arguments are `Request` (bot/store/commit.py); ARGV[2] and what follows are the records.
--
-- Answers:  done <version> <server ms> | already <incident> <version> | duplicate <incident> <claim> | gone
--           late <server ms> | conflict <version> | taken <claim> <owner>

local request = arguments
local incident = request.incident
local parts = {request, unpack(request.also or {})}

-- What Redis says instead of doing it, as the answer. Redis 6.2 puts the place in this script before its words.
local function refused(no) return {err = (string.gsub(no.err, '^@user_script: ?%d+: %-?', ''))} end

local clock = now()
local outbox = key('outbox')
local timers, timer_actions = key('timers'), key('timers', 'actions')
local commit = key('commit', request.commit)

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
  -- pcall: without the consumer group, and with what is no id, nothing is pending, and that is an answer.
  -- Any other error leaves it open.
  local pending = redis.pcall('XPENDING', outbox, request.group, request.entry, request.entry, 1)
  local gone = pending.err and (string.find(pending.err, 'NOGROUP', 1, true)
    or string.find(pending.err, 'Invalid stream ID', 1, true))
  if pending.err and not gone then return refused(pending) end
  if pending.err or #pending == 0 then return {'gone'} end
end

if request.deadline and clock > request.deadline then return {'late', clock} end

local function given_up(by, name)
  for _, part in ipairs(parts) do
    if part.incident == by then
      for _, released in ipairs(part.releases) do
        if released == name then return true end
      end
    end
  end
  return false
end

local versions = {}
for i, part in ipairs(parts) do
  versions[i] = tonumber(redis.call('HGET', key('incident', part.incident), 'version') or '0')
  if part.base > 0 and versions[i] ~= part.base then return {'conflict', versions[i]} end
end

-- The clock was set back since the record was read: the times in this change would come that much later. Read it anew.
if request.read_at and clock < request.read_at - request.tolerance_ms then return {'conflict', versions[1]} end

for _, part in ipairs(parts) do
  for _, claim in ipairs(part.claims) do
    local owner = redis.call('GET', key('claim', claim.key))
    -- A new incident owns nothing yet: its own number, taken, means that somebody else has it.
    local others = owner and (owner ~= part.incident or part.base == 0)
    if others and not claim.soft and not given_up(owner, claim.key) then return {'taken', claim.key, owner} end
  end
end

for i, part in ipairs(parts) do
  if versions[i] ~= part.base then return {'conflict', versions[i]} end
end

-- 2. writes -----------------------------------------------------------------------------------------------------

local function keep(call, i)
  local part = parts[i]
  return call('HSET', key('incident', part.incident), 'version', part.base + 1, 'record', ARGV[1 + i], 'short', part.short)
end
local first = keep(redis.pcall, 1)
if type(first) == 'table' and first.err then return refused(first) end
for i = 2, #parts do keep(redis.call, i) end

local function drop_timer(member)
  redis.call('ZREM', timers, member)
  redis.call('HDEL', timer_actions, member)
end
if request.timer then drop_timer(request.timer.member) end

local function write(part)
  local incident, version = part.incident, part.base + 1

  for _, entry in ipairs(part.entries) do redis.call('RPUSH', key('timeline', incident), entry) end

  -- What can be taken back stands beside the list, which only grows: the newest words of a ref, until they are erased.
  for _, word in ipairs(part.words or {}) do redis.call('HSET', key('words', incident), word.ref, word.entry) end
  for _, ref in ipairs(part.erased or {}) do redis.call('HDEL', key('words', incident), ref) end

  for i, effect in ipairs(part.effects) do
    redis.call('XADD', outbox, '*', 'incident', incident, 'id', incident .. '.' .. version .. '.' .. i,
      'created', whole(clock), 'effect', effect)
  end

  for _, member in ipairs(part.cancels) do drop_timer(member) end
  for _, timer in ipairs(part.timers) do
    redis.call('ZADD', timers, whole(timer.at), timer.member)
    redis.call('HSET', timer_actions, timer.member, timer.action)
  end

  for _, name in ipairs(part.releases) do
    if redis.call('GET', key('claim', name)) == incident then redis.call('DEL', key('claim', name)) end
  end

  -- One counter for all marks, never used twice: "nothing newer" stays true after a mark was cleared and set again.
  -- Its eighths say how urgent it is; a mark that waits does not become less urgent by a newer one.
  for _, member in ipairs(part.dirty) do
    local had = redis.call('ZSCORE', key('dirty', 'marks'), member)
    local urgency = request.urgency or 7
    if had then urgency = math.min(urgency, (tonumber(had) % 1) * 8) end
    local counter = redis.call('INCR', key('dirty', 'counter'))
    redis.call('ZADD', key('dirty', 'marks'), string.format('%.3f', counter + urgency / 8), member)
  end

  for _, name in ipairs(part.unindex) do redis.call('ZREM', key('index', name), incident) end
  for _, name in ipairs(part.index) do redis.call('ZADD', key('index', name), part.number, incident) end

  -- The memory of the incident (bot/store/past_incidents.py reads it), beside its record: never older than what it remembers.
  local memory = part.memory
  if memory then
    if memory.record then
      redis.call('HSET', key('memory', memory.service), incident, memory.record)
      redis.call('HSET', key('recall', 'counted'), memory.member, memory.counted)
    else
      redis.call('HDEL', key('memory', memory.service), incident)
      redis.call('HDEL', key('recall', 'counted'), memory.member)
    end
    for _, name in ipairs(memory.unindex) do redis.call('ZREM', key('recall', name), memory.member) end
    for _, name in ipairs(memory.index) do redis.call('ZADD', key('recall', name), whole(memory.at), memory.member) end
  end
end

-- All are written before anything is claimed: what one gives up the other can have.
for _, part in ipairs(parts) do write(part) end
for _, part in ipairs(parts) do
  for _, claim in ipairs(part.claims) do
    local owner = redis.call('GET', key('claim', claim.key))
    if not owner or owner == part.incident then
      if claim.ms then
        redis.call('SET', key('claim', claim.key), part.incident, 'PX', whole(claim.ms))
      else
        redis.call('SET', key('claim', claim.key), part.incident)
      end
    end
  end
end

if request.entry then
  end_entry(request.entry)
end

for _, claim in ipairs(request.deliveries) do
  redis.call('SET', key('delivery', claim), incident, 'PX', whole(request.delivery_ms))
end
-- An import is known by its incident; it leaves nothing else.
if request.commit_ms then
  redis.call('HSET', commit, 'incident', incident, 'version', request.base + 1)
  redis.call('PEXPIRE', commit, whole(request.commit_ms))
end

return {'done', request.base + 1, clock}
