local box = key('box:' .. ARGV[1])
local found = redis.call('HGETALL', box)
redis.call('DEL', box)
return found
