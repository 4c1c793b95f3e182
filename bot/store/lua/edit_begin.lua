-- Takes the lease for the edit of the live message `member` for `lease` ms, under the name `token`.
-- Nil where an edit is under way, or was a moment ago. Else the newest mark of this message ('' where there is none)
-- the fingerprint of what it shows, and its incident's record. The lease comes first: what is read after it is not
-- overtaken.
if not redis.call('SET', key('live', 'lease', arguments.member), arguments.token, 'NX', 'PX', arguments.lease) then
  return false
end
return {
  redis.call('ZSCORE', key('dirty', 'marks'), arguments.member) or '',
  redis.call('GET', key('live', 'rendered', arguments.member)) or '',
  redis.call('HGET', key('incident', arguments.incident), 'record') or ''
}
