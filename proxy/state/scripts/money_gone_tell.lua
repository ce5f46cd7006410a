local few = tonumber(ARGV[1])

local function unpacked(text)
  local parts = {}
  for part, micros in string.gmatch(text or '', '(%d+) (%d+)') do
    parts[tonumber(part)] = tonumber(micros)
  end
  return parts
end
local function keep(line, field, parts)
  local texts = {}
  for part, micros in pairs(parts) do table.insert(texts, whole(part) .. ' ' .. whole(micros)) end
  redis.call('HSET', line, field, table.concat(texts, ' '))
end

-- What it has told by itself, in this life of the store, is not to count twice.
local function folds(line, pod, flat)
  local found = redis.call('HMGET', line, 's:' .. pod, 'f:' .. pod, 'sums')
  local own, folded, sums = unpacked(found[1]), unpacked(found[2]), unpacked(found[3])
  for i = 1, #flat, 2 do
    local part, more = flat[i], flat[i + 1] - (folded[flat[i]] or 0)
    if more > 0 then
      local twice = math.min(more, own[part] or 0)
      folded[part] = (folded[part] or 0) + more
      if twice > 0 then own[part], sums[part] = own[part] - twice, sums[part] - twice end
    end
  end
  keep(line, 'f:' .. pod, folded)
  keep(line, 's:' .. pod, own)
  keep(line, 'sums', sums)
end

for i = 2, #ARGV do
  local row = cmsgpack.unpack(ARGV[i])
  local name, line = row[1], key(row[1])
  local found = redis.call('HMGET', line, 'gone', 'left')
  local parts, left, others = unpacked(found[1]), found[2] or '', 0
  for at = 1, #row[2], 2 do
    parts[row[2][at]] = math.max(parts[row[2][at]] or 0, row[2][at + 1])
  end
  keep(line, 'gone', parts)
  for _ in string.gmatch(left, '%S+') do others = others + 1 end
  for _, whose in ipairs(row[4]) do
    folds(line, whose[1], whose[2])
    if others < few and not string.find(' ' .. left .. ' ', ' ' .. whose[1] .. ' ', 1, true) then
      left, others = left .. ' ' .. whose[1], others + 1
    end
  end
  redis.call('HSET', line, 'left', left)
  redis.call('PEXPIRE', line, math.max(row[3], redis.call('PTTL', line)))
  departed(name)
end
return 1
