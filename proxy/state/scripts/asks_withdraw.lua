return redis.call('HDEL', key('box:' .. ARGV[1]), ARGV[2])
