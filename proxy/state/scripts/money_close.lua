local pod, leaves, lost = ARGV[1], ARGV[6] == '1', ARGV[7] == '1'
local from, most, few = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
if not is_known() then return -1 end
-- After the last number there is none: what is left of a lost pod is folded by it again.
if not is_next(pod, tonumber(ARGV[2]), tonumber(ARGV[5])) and not lost then return -1 end
local is = redis.call('HMGET', key('epoch'), 'run', 'open')
local folds = leaves and (lost or (is[1] == life() and is[2] == '1'))

local function added(text, more)
  local parts, texts = {}, {}
  for part, micros in string.gmatch(text or '', '(%d+) (%d+)') do
    parts[part] = tonumber(micros)
  end
  for part, micros in pairs(more) do parts[part] = (parts[part] or 0) + micros end
  for part, micros in pairs(parts) do
    if micros > 0 then table.insert(texts, part .. ' ' .. whole(micros)) end
  end
  return table.concat(texts, ' ')
end

local mine = key('lines:' .. pod)
local names = redis.call('ZRANGE', mine, from, from + most - 1)
for _, name in ipairs(names) do
  local line = key(name)
  if redis.call('EXISTS', line) == 1 then
    local found = redis.call('HMGET', line, 's:' .. pod, 'f:' .. pod, 'h:' .. pod, 'sums', 'gone', 'held', 'newest', 'left')
    local held, newest = tonumber(found[3] or 0), found[7] or '0'
    redis.call('HSET', line, 'held', whole(tonumber(found[6] or 0) - held))
    redis.call('HDEL', line, 'h:' .. pod)
    if folds then
      local spent, less = {}, {}
      for part, micros in string.gmatch(found[1] or '', '(%d+) (%d+)') do
        spent[part] = tonumber(micros)
        less[part] = -tonumber(micros)
        if tonumber(part) > tonumber(newest) then newest = part end
      end
      redis.call('HDEL', line, 's:' .. pod)
      redis.call('HSET', line, 'sums', added(found[4], less))
      if lost and held > 0 then spent[newest] = (spent[newest] or 0) + held end
      local left, others = pod, 1
      for other in string.gmatch(found[8] or '', '%S+') do
        if other ~= pod and others < few then left, others = left .. ' ' .. other, others + 1 end
      end
      redis.call('HSET', line, 'f:' .. pod, added(found[2], spent), 'gone', added(found[5], spent),
        'left', left)
      departed(name)
    end
  end
end
local after = from + #names
if folds then
  if #names > 0 then redis.call('ZREM', mine, unpack(names)) end
  publish('money', 'departed')
  after = from
end
if redis.call('ZCARD', mine) > after then return after end
return -1
