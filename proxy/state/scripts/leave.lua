for _, pod in ipairs(ARGV) do
  redis.call('HDEL', key('pods'), pod)
  redis.call('ZREM', key('live'), pod)
  redis.call('SREM', key('gathered'), pod)
end
return 1
