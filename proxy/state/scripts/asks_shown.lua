return redis.call('HGET', key('shown:' .. ARGV[1]), ARGV[2]) or ''
