-- May we do all that the scripts do? Each of their commands once, at no harm; what is forbidden is
-- told by its name.
local hash, zset, set, text = key('check:h'), key('check:z'), key('check:s'), key('check')
local calls = {
  {'TIME'}, {'INFO', 'server'}, {'PUBLISH', key('news'), 'check '},
  {'HSET', hash, 'a', '1'}, {'HSETNX', hash, 'a', '1'}, {'HGET', hash, 'a'},
  {'HMGET', hash, 'a'}, {'HGETALL', hash}, {'HLEN', hash}, {'HDEL', hash, 'b'},
  {'ZADD', zset, '1', 'a'}, {'ZSCORE', zset, 'a'}, {'ZCOUNT', zset, '1', '2'}, {'ZREM', zset, 'b'},
  {'SADD', set, 'a'}, {'SCARD', set}, {'SISMEMBER', set, 'a'}, {'SREM', set, 'b'},
  {'SET', text, '1'}, {'GET', text}, {'PEXPIRE', hash, '1'}, {'DEL', hash, zset, set, text}
}
local lacks = {}
for _, call in ipairs(calls) do
  local answer = redis.pcall(unpack(call))
  local wrong = type(answer) == 'table' and answer.err
  if wrong and (string.find(wrong, 'ACL failure') or string.find(wrong, 'NOPERM')) then
    table.insert(lacks, call[1])
  end
end
return lacks
