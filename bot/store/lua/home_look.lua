-- Takes the turn to draw for `turn` ms, as `me`. Nothing where nobody looks, or it is another
-- one's turn.
-- Else the counter of dirty marks, and each viewer with what they see.
local viewers, whose_turn = key('homes'), key('homes', 'turn')
redis.call('ZREMRANGEBYSCORE', viewers, '-inf', whole(now()))
local users = redis.call('ZRANGE', viewers, 0, -1)
if #users == 0 then return {} end
local holder = redis.call('GET', whose_turn)
if holder and holder ~= arguments.me then return {} end
redis.call('SET', whose_turn, arguments.me, 'PX', arguments.turn)
local found = {redis.call('GET', key('dirty', 'counter')) or ''}
for _, user in ipairs(users) do
  found[#found + 1] = user
  found[#found + 1] = redis.call('HGET', key('homes', 'shown'), user) or ''
end
return found
