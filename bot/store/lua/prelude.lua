-- Stands before every script of this folder.
-- KEYS[1] is the prefix with the hash tag; every other key is made from it. No key has that name alone, so a cluster
-- that moves the slot answers ASK before a script begins, whatever is moved already (bot/connection/cluster.py).
-- ARGV[1] is a JSON object with the arguments by name; an argument that is not given is nil.
-- ARGV[2] and later are texts that the scripts do not look into.

local arguments = cjson.decode(ARGV[1])

local function key(...) return table.concat({KEYS[1], ...}, ':') end

-- Lua writes large numbers with an exponent, which Redis does not read.
local function whole(number) return string.format('%.0f', number) end

-- Milliseconds since 1970 by the clock of the server.
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The fields of a stream's entry by name; nil where there is no such entry.
local function fields_of(stream, entry)
  local found = redis.call('XRANGE', stream, entry, entry)
  if #found == 0 then return nil end
  local fields = {}
  for i = 1, #found[1][2], 2 do fields[found[1][2][i]] = found[1][2][i + 1] end
  return fields
end

local function flat(fields)
  local list = {}
  for name, value in pairs(fields) do list[#list + 1] = name; list[#list + 1] = value end
  return list
end

local function count_up(fields, name, by)
  fields[name] = tostring(tonumber(fields[name] or '0') + (by or 1))
end

local function end_entry(entry)
  redis.call('XACK', key('outbox'), arguments.group, entry)
  redis.call('XDEL', key('outbox'), entry)
end
