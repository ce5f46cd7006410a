for _, packed in ipairs(ARGV) do
  local row = cmsgpack.unpack(packed)
  local name, line = row[1], key(row[1])
  local parts, texts = {}, {}
  for part, micros in string.gmatch(redis.call('HGET', line, 'gone') or '', '(%d+) (%d+)') do
    parts[tonumber(part)] = tonumber(micros)
  end
  for i = 1, #row[2], 2 do
    parts[row[2][i]] = math.max(parts[row[2][i]] or 0, row[2][i + 1])
  end
  for part, micros in pairs(parts) do table.insert(texts, whole(part) .. ' ' .. whole(micros)) end
  redis.call('HSET', line, 'gone', table.concat(texts, ' '))
  redis.call('PEXPIRE', line, math.max(row[3], redis.call('PTTL', line)))
  departed(name)
end
return 1
