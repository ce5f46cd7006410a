local pod, number, base, lasts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local told, shown, every = key('board:' .. pod), key('shown:' .. pod), key('boards')
local stands = tonumber(redis.call('HGET', told, '#') or 0)
if number <= stands or (base ~= 0 and base ~= stands) then return stands end
if base == 0 then redis.call('DEL', told, shown) end
local at = 6
local gone = at + 4 * tonumber(ARGV[5])
for i = gone, #ARGV do
  redis.call('HDEL', told, ARGV[i])
  redis.call('HDEL', shown, ARGV[i])
end
while at < gone do
  local id, call = ARGV[at], ARGV[at + 3]
  redis.call('HSET', told, id, ARGV[at + 1])
  if call ~= '' then redis.call('HSET', shown, id, call)
  elseif ARGV[at + 2] == '0' then redis.call('HDEL', shown, id) end
  at = at + 4
end
redis.call('HSET', told, '#', whole(number))
local now = clock()
redis.call('ZREMRANGEBYSCORE', every, '-inf', whole(now))
redis.call('ZADD', every, whole(now + lasts), pod)
for _, each in ipairs({told, shown, every}) do redis.call('PEXPIRE', each, lasts) end
return number
