local pod, number, epoch, recall = ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]

if not is_known() then return {} end
local is = redis.call('HMGET', key('epoch'), 'number', 'run', 'open')
if is[2] ~= life() or tonumber(is[1] or 0) ~= epoch then return {} end
if not is_next(pod, tonumber(ARGV[2]), number) then return {} end
local mine, now = key('lines:' .. pod), clock() -- by when they end
local live = math.max(1, alive(now))

-- Parts are kept as text: "part micros part micros".
local function unpacked(text)
  local parts = {}
  for part, micros in string.gmatch(text or '', '(%d+) (%d+)') do
    parts[tonumber(part)] = tonumber(micros)
  end
  return parts
end
local function keep(line, field, parts, oldest)
  local texts = {}
  for part, micros in pairs(parts) do
    if part >= oldest then table.insert(texts, whole(part) .. ' ' .. whole(micros)) end
  end
  if #texts > 0 then redis.call('HSET', line, field, table.concat(texts, ' '))
  else redis.call('HDEL', line, field) end
end
local function flat(parts)
  local out = {}
  for part, micros in pairs(parts) do
    table.insert(out, part)
    table.insert(out, micros)
  end
  return out
end

local function drawn(row)
  local name, limit, oldest, newest, kept = row[1], row[2], row[3], row[4], row[5]
  local least, need, want, young, ends = row[6], row[7], row[8], row[9], row[10]
  local line = key(name)
  local found = redis.call('HMGET', line, 's:' .. pod, 'f:' .. pod, 'h:' .. pod, 'sums', 'gone', 'held', 'newest')
  local own, folded = unpacked(found[1]), unpacked(found[2])
  local sums, gone = unpacked(found[4]), unpacked(found[5])
  for i = 1, #row[11], 2 do
    local part, micros = row[11][i], row[11][i + 1]
    local more = micros - (folded[part] or 0) - (own[part] or 0)
    if more > 0 then
      own[part] = (own[part] or 0) + more
      sums[part] = (sums[part] or 0) + more
    end
  end
  for _, parts in ipairs({own, folded, sums, gone}) do
    for part in pairs(parts) do if part < oldest then parts[part] = nil end end
  end
  local total = 0
  for _, parts in ipairs({sums, gone}) do
    for _, micros in pairs(parts) do total = total + micros end
  end
  local others = tonumber(found[6] or 0) - tonumber(found[3] or 0)
  if young then limit = math.floor(limit / 2) end
  local free, more = limit - total - others - kept, 0
  if is[3] == '1' and free > 0 and free >= least then
    more = math.min(free, math.max(need, math.min(want, math.floor(free / (2 * live)))))
  end
  local held = kept + more
  keep(line, 's:' .. pod, own, oldest)
  keep(line, 'f:' .. pod, folded, oldest)
  keep(line, 'sums', sums, oldest)
  keep(line, 'gone', gone, oldest)
  redis.call('HSET', line, 'h:' .. pod, whole(held), 'held', whole(others + held), 'newest',
    whole(math.max(newest, tonumber(found[7] or 0))))
  ends = math.max(ends, redis.call('PTTL', line), more > 0 and row[12] or 0)
  redis.call('PEXPIRE', line, ends)
  redis.call('ZADD', mine, now + ends, name)
  if more < need and others > 0 and
     redis.call('SET', key('recall:' .. name), '1', 'NX', 'PX', recall) then
    publish('money', name)
  end
  for part, micros in pairs(folded) do own[part] = (own[part] or 0) + micros end
  return {held, total, others + held, flat(own), ends}
end

local answer = {}
for i = 8, #ARGV do table.insert(answer, drawn(cmsgpack.unpack(ARGV[i]))) end
redis.call('ZREMRANGEBYSCORE', mine, '-inf', now)
redis.call('PEXPIRE', mine, KEPT)
return answer
