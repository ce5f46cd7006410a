for i = 2, #ARGV do
  local pod = ARGV[i]
  redis.call('HDEL', key('pods'), pod)
  redis.call('ZREM', key('live'), pod)
  redis.call('SREM', key('gathered'), pod)
  redis.call('SET', key('left:' .. pod), '1', 'PX', ARGV[1])
end
return 1
