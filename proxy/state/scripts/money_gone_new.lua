local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer = {since}
local function parts(line, field)
  local found = {}
  for part, micros in string.gmatch(redis.call('HGET', line, field) or '', '(%d+) (%d+)') do
    table.insert(found, tonumber(part))
    table.insert(found, tonumber(micros))
  end
  return found
end
local found = redis.call('ZRANGEBYSCORE', key('departed'), '(' .. whole(since), '+inf', 'WITHSCORES',
  'LIMIT', 0, most)
for i = 1, #found, 2 do
  local line = key(found[i])
  local left, whose = redis.call('PTTL', line), {}
  if left < 0 then redis.call('ZREM', key('departed'), found[i])
  else
    for pod in string.gmatch(redis.call('HGET', line, 'left') or '', '%S+') do
      table.insert(whose, {pod, parts(line, 'f:' .. pod)})
    end
    table.insert(answer, {found[i], parts(line, 'gone'), left, whose})
    answer[1] = tonumber(found[i + 1])
  end
end
return answer
