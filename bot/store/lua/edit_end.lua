-- Ends the edit that `token` began on the live message `member`. Answers whether its mark was
-- cleared.
-- counter: the mark as it was read, to be cleared unless there is a newer one; without it the
-- message stays marked.
-- shows: the fingerprint of what Slack shows now, remembered for `remembered` seconds; without it
-- nothing was sent.
-- cool: ms for which the message is left alone.
-- Only the holder of the lease may change anything. What was sent after the lease had ended (by a
-- replica that
-- stood still) may be older than what another one sent: nobody knows what it shows, and it is
-- marked anew.
local lease, rendered = key('live', 'lease', arguments.member), key('live', 'rendered', arguments.member)
local marks = key('dirty', 'marks')
if redis.call('GET', lease) ~= arguments.token then
  if arguments.shows then
    redis.call('DEL', rendered)
    redis.call('ZADD', marks, whole(redis.call('INCR', key('dirty', 'counter'))), arguments.member)
  end
  return 0
end
local cleared = 0
if arguments.counter then
  local score = redis.call('ZSCORE', marks, arguments.member)
  if score and tonumber(score) == arguments.counter then cleared = redis.call('ZREM', marks, arguments.member) end
end
if arguments.shows then redis.call('SET', rendered, arguments.shows, 'EX', arguments.remembered) end
if arguments.cool <= 0 then
  redis.call('DEL', lease)
else
  redis.call('SET', lease, 'cooling', 'PX', arguments.cool)
end
return cleared
