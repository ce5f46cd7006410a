-- May we do all that the scripts do? Each of their commands once, at no harm; what is forbidden is
-- told by its name.
local hash, zset, set, text = key('check:h'), key('check:z'), key('check:s'), key('check')
local calls = {
  {'TIME'}, {'INFO', 'server'}, {'PUBLISH', key('news'), 'check '},
  {'HSET', hash, 'a', '1'}, {'HSETNX', hash, 'a', '1'}, {'HINCRBY', hash, 'a', '1'},
  {'HGET', hash, 'a'}, {'HMGET', hash, 'a'}, {'HGETALL', hash}, {'HLEN', hash},
  {'HEXISTS', hash, 'a'}, {'HDEL', hash, 'b'},
  {'ZADD', zset, '1', 'a'}, {'ZSCORE', zset, 'a'}, {'ZCARD', zset}, {'ZCOUNT', zset, '1', '2'},
  {'ZRANGE', zset, '0', '1'}, {'ZREVRANGE', zset, '0', '1'}, {'ZRANGEBYSCORE', zset, '0', '1'},
  {'ZREM', zset, 'b'}, {'ZREMRANGEBYSCORE', zset, '8', '9'}, {'ZPOPMIN', zset},
  {'SADD', set, 'a'}, {'SCARD', set}, {'SISMEMBER', set, 'a'}, {'SMEMBERS', set},
  {'SREM', set, 'b'}, {'SET', text, '1'}, {'GET', text}, {'INCR', text}, {'EXISTS', text},
  {'PTTL', text}, {'PEXPIRE', text, '1'}, {'PEXPIRE', hash, '1'}, {'PEXPIRE', zset, '1'},
  {'PEXPIRE', set, '1'}, {'DEL', hash, zset, set, text}
}
local lacks = {}
for _, call in ipairs(calls) do
  local answer = redis.pcall(unpack(call))
  local wrong = type(answer) == 'table' and answer.err
  for _, said in ipairs({'ACL failure', 'NOPERM', "executing the script can't"}) do
    if wrong and string.find(wrong, said, 1, true) then table.insert(lacks, call[1]) end
  end
end
return lacks
