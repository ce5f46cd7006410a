local pod, at = ARGV[1], tonumber(ARGV[2])
local lasts, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local now, answer = clock(), {}
local till = math.min(now, at) + lasts

-- What stands there, without what has ended.
local function standing(wait)
  local found, edges = redis.call('HGETALL', wait), {}
  for i = 1, #found, 2 do
    local from, to, since, ends, whose, name = string.match(found[i + 1], '^(%S+) (%S+) (%d+) (%d+) (%S+) (%S+)$')
    if from and tonumber(ends) > now then
      table.insert(edges, {call = found[i], from = from, to = to, since = tonumber(since), pod = whose, name = name})
    else
      redis.call('HDEL', wait, found[i])
    end
  end
  return edges
end

-- Without those that lead from nobody who is waited for, or to nobody who waits.
local function inner(edges)
  local left = {}
  for _, edge in ipairs(edges) do
    if edge.from ~= edge.to then table.insert(left, edge) end
  end
  while true do
    local from, to, kept = {}, {}, {}
    for _, edge in ipairs(left) do from[edge.from], to[edge.to] = true, true end
    for _, edge in ipairs(left) do
      if to[edge.from] and from[edge.to] then table.insert(kept, edge) end
    end
    if #kept == #left then return left end
    left = kept
  end
end

-- The shortest way, by the oldest edges: from its end to its start.
local function way(ways, start, finish)
  local came, ahead, first = {[start] = true}, {start}, 1
  while ahead[first] and not came[finish] do
    for _, edge in ipairs(ways[ahead[first]] or {}) do
      if not came[edge.to] then
        came[edge.to] = edge
        table.insert(ahead, edge.to)
      end
    end
    first = first + 1
  end
  if not came[finish] then return nil end
  local back, step = {}, came[finish]
  while step ~= true do
    table.insert(back, step)
    step = came[step.from]
  end
  return back
end

local function judge(wait)
  local edges, ways = inner(standing(wait)), {}
  table.sort(edges, function(one, other)
    if one.since ~= other.since then return one.since < other.since end
    return one.call < other.call
  end)
  for _, edge in ipairs(edges) do
    local back = way(ways, edge.to, edge.from)
    if not back then
      ways[edge.from] = ways[edge.from] or {}
      table.insert(ways[edge.from], edge)
    elseif edge.pod == pod then
      local ring = {edge.call, edge.name}
      for i = #back, 1, -1 do
        table.insert(ring, back[i].call)
        table.insert(ring, back[i].name)
      end
      table.insert(answer, ring)
    end
  end
end

local i = 5
while i <= #ARGV do
  local wait, gone, put = key('wait:' .. ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  i = i + 3
  standing(wait)
  for _ = 1, gone do
    redis.call('HDEL', wait, ARGV[i])
    i = i + 1
  end
  for _ = 1, put do
    local call = ARGV[i]
    if till > now and (redis.call('HEXISTS', wait, call) == 1 or redis.call('HLEN', wait) < most) then
      redis.call('HSET', wait, call, table.concat(
        {ARGV[i + 1], ARGV[i + 2], whole(tonumber(ARGV[i + 3])), whole(till), pod, ARGV[i + 4]}, ' '))
    end
    i = i + 5
  end
  redis.call('PEXPIRE', wait, lasts)
  judge(wait)
end
return answer
