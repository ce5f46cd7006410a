local words, numbers = key('kills'), key('kills:numbers')
local last, page, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found = redis.call('ZRANGEBYSCORE', numbers, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, page)
local answer = {last, redis.call('HLEN', words), #found == 2 * page and 1 or 0}
for i = 1, #found, 2 do
  table.insert(answer, found[i])
  table.insert(answer, redis.call('HGET', words, found[i]) or '')
  answer[1] = tonumber(found[i + 1])
end
local left = redis.call('PTTL', words)
if left >= 0 and left < kept / 2 then
  redis.call('PEXPIRE', words, kept)
  redis.call('PEXPIRE', numbers, kept)
end
return answer
