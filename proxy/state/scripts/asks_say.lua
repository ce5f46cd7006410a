local box = key('box:' .. ARGV[1])
if redis.call('HLEN', box) >= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', box, ARGV[2], ARGV[3])
redis.call('PEXPIRE', box, ARGV[4])
publish(ARGV[6], ARGV[1])
return 1
