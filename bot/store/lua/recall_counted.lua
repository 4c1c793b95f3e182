-- All that trends count, as one JSON array of arrays: ten thousand answers of their own take long
-- to read.
return '[' .. table.concat(redis.call('HVALS', key('recall', 'counted')), ',') .. ']'
