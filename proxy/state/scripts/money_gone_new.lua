local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer = {since}
local found = redis.call('ZRANGEBYSCORE', key('departed'), '(' .. whole(since), '+inf', 'WITHSCORES',
  'LIMIT', 0, most)
for i = 1, #found, 2 do
  local line = key(found[i])
  local parts, left = {}, redis.call('PTTL', line)
  for part, micros in string.gmatch(redis.call('HGET', line, 'gone') or '', '(%d+) (%d+)') do
    table.insert(parts, tonumber(part))
    table.insert(parts, tonumber(micros))
  end
  if left < 0 then redis.call('ZREM', key('departed'), found[i])
  else
    table.insert(answer, {found[i], parts, left})
    answer[1] = tonumber(found[i + 1])
  end
end
return answer
