local pod, answer = ARGV[1], {}

for _, name in ipairs(redis.call('ZRANGE', key('lines:' .. pod), 0, -1)) do
  local line = key(name)
  if redis.call('EXISTS', line) == 1 then
    local found = redis.call('HMGET', line, 's:' .. pod, 'f:' .. pod, 'h:' .. pod)
    local parts, told = {}, {}
    for i = 1, 2 do
      for part, micros in string.gmatch(found[i] or '', '(%d+) (%d+)') do
        parts[part] = (parts[part] or 0) + tonumber(micros)
      end
    end
    for part, micros in pairs(parts) do
      table.insert(told, tonumber(part))
      table.insert(told, micros)
    end
    table.insert(answer, {name, tonumber(found[3] or 0), told})
  end
end
return answer
