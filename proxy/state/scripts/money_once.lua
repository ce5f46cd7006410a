if redis.call('SET', key(ARGV[1]), '1', 'NX', 'PX', ARGV[2]) then return 1 end
return 0
