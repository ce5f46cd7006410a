local op, name = ARGV[1], ARGV[2]
local kept, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local now, index, last = clock(), key('circuits'), key('circuits.stamp')

local function arg(i) return tonumber(ARGV[i]) end

local function seen(circuit)
  local it = redis.call('HMGET', key('circuit:' .. circuit), 'generation', 'open', 'until', 'span', 'slow',
    'passed', 'owner', 'number', 'lease')
  if not it[1] then return nil end
  return {generation = tonumber(it[1]), open = it[2] == '1', till = tonumber(it[3]), span = tonumber(it[4]),
    slow = tonumber(it[5]), passed = tonumber(it[6]), owner = it[7], number = tonumber(it[8]),
    lease = tonumber(it[9])}
end

local function made(generation, open, till, span, slow, passed)
  return {generation = generation, open = open, till = till, span = span, slow = slow, passed = passed,
    owner = '', number = 0, lease = 0}
end

local function view(circuit)
  local it = seen(circuit)
  if not it then return '' end
  return string.format('["%s",%.0f,%d,%.0f,%.0f,%d,%.0f]', circuit, it.generation, it.open and 1 or 0,
    math.max(0, it.till - now), it.span, it.slow, it.passed)
end

local function stamp(above)
  local given = math.max(tonumber(redis.call('GET', last) or 0), above, now - 1) + 1
  redis.call('SET', last, whole(given), 'PX', whole(kept))
  return given
end

local function write(circuit, it)
  local where = key('circuit:' .. circuit)
  redis.call('HSET', where, 'generation', whole(it.generation), 'open', it.open and '1' or '0',
    'until', whole(it.till), 'span', whole(it.span), 'slow', whole(it.slow), 'passed', whole(it.passed),
    'owner', it.owner, 'number', whole(it.number), 'lease', whole(it.lease))
  redis.call('PEXPIRE', where, whole(kept + math.max(it.till, it.lease, now) - now))
end

local function tell(circuit, it, at)
  write(circuit, it)
  redis.call('DEL', key('votes:' .. circuit))
  redis.call('ZADD', index, whole(at), circuit)
  redis.call('PEXPIRE', index, whole(2 * kept))
  while redis.call('ZCARD', index) > most do
    redis.call('DEL', key('circuit:' .. redis.call('ZPOPMIN', index)[1]))
  end
  publish('circuits', view(circuit))
end

local function quorum()
  local known, live = redis.call('HLEN', key('pods')), alive(now)
  if known <= 1 then return 1 end
  if tonumber(redis.call('HGET', key('epoch'), 'until') or 0) + ALIVE > now then live = known end
  return math.max(2, math.floor((3 * live + 9) / 10))
end

local op_of = {}

function op_of.vote()
  local pod, after, open_for, at, span, slow = ARGV[5], arg(6), arg(7), arg(8), arg(9), arg(10)
  local needs, longest, grace, stale = arg(11), arg(12), arg(13), arg(14)
  local it, votes = seen(name), key('votes:' .. name)
  if it and (it.generation > after or (it.open and it.generation == after)) then return view(name) end
  local left = math.min(open_for, longest) - math.max(0, now - at)
  local mine = tonumber(string.match(redis.call('HGET', votes, pod) or ' 0', ' (%d+)$'))
  if mine <= at or (mine > now + stale and at <= now + stale) then
    redis.call('HSET', votes, pod, whole(open_for > 0 and now + left or 0) .. ' ' .. whole(at))
  end
  local count, furthest, all = 0, nil, redis.call('HGETALL', votes)
  for i = 1, #all, 2 do
    local till, said = string.match(all[i + 1], '^(%-?%d+) (%d+)$')
    till, said = tonumber(till), tonumber(said)
    if till + grace > now then
      count = count + 1
      furthest = math.max(furthest or till, till)
    elseif said + stale <= now then
      redis.call('HDEL', votes, all[i])
    end
  end
  furthest = furthest or now
  redis.call('PEXPIRE', votes, whole(math.max(furthest, now + stale) - now + grace))
  if needs == 0 then needs = quorum() end
  if count >= needs then
    local number = stamp(after)
    tell(name, made(number, true, furthest, span, slow, 0), number)
  end
  return view(name)
end

function op_of.probe()
  local generation, span, slow, passed = arg(5), arg(6), arg(7), arg(8)
  local pod, number, lease, at = ARGV[9], arg(10), arg(11), arg(12)
  local settle, longest, stale = arg(13), arg(14), arg(15)
  local it = seen(name)
  if not it or it.generation < generation then
    it = made(generation, true, now + settle, span, slow, passed)
    tell(name, it, stamp(generation))
  end
  local wait = 0
  if it.open then
    local free = it.owner == '' or (it.owner == pod and it.number < number)
    wait = math.max(it.till, free and 0 or it.lease) - now
  end
  local granted = it.open and wait <= 0 and now - at <= stale
  if granted then
    it.owner, it.number, it.lease = pod, number, now + math.min(lease, longest)
    if it.generation == generation then it.passed = math.max(it.passed, passed) end
    write(name, it)
  end
  return {granted and 1 or 0, math.max(0, wait), view(name)}
end

function op_of.probed()
  local generation, pod, number, came_to, at = arg(5), ARGV[6], arg(7), ARGV[8], arg(9)
  local passed, probes, open_for, span, slow, longest = arg(10), arg(11), arg(12), arg(13), arg(14), arg(15)
  local it = seen(name)
  if not it or not it.open or it.generation ~= generation then return view(name) end
  if number > 0 then
    if it.owner ~= pod or it.number ~= number then return view(name) end
    it.owner, it.lease = '', 0
  end
  if came_to == 'failed' then
    local left = math.min(open_for, longest) - math.max(0, now - at)
    local newer = stamp(it.generation)
    tell(name, made(newer, true, now + math.max(0, left), span, slow, 0), newer)
  elseif came_to == 'passed' and passed >= probes then
    local newer = stamp(it.generation)
    tell(name, made(newer, false, 0, 0, 0, 0), newer)
  else
    it.passed = math.max(it.passed, passed)
    write(name, it)
  end
  return view(name)
end

function op_of.tell()
  local pod, longest = ARGV[5], arg(6)
  for i = 7, #ARGV, 9 do
    local circuit, generation, number = ARGV[i], arg(i + 1), arg(i + 7)
    local it = seen(circuit)
    if not it or it.generation < generation then
      it = made(generation, ARGV[i + 2] == '1', now + math.min(arg(i + 3), longest), arg(i + 4), arg(i + 5),
        arg(i + 6))
      tell(circuit, it, stamp(generation))
    end
    if number > 0 and it.generation == generation and it.owner == '' then
      it.owner, it.number, it.lease = pod, number, now + math.min(arg(i + 8), longest)
      write(circuit, it)
    end
  end
  return 1
end

function op_of.new()
  local page = redis.call('ZRANGEBYSCORE', index, '(' .. ARGV[5], '+inf', 'WITHSCORES', 'LIMIT', 0, arg(6))
  local answer = {#page > 0 and page[#page] or ARGV[5], #page / 2}
  for i = 1, #page, 2 do
    local it = view(page[i])
    if it == '' then redis.call('ZREM', index, page[i]) else table.insert(answer, it) end
  end
  return answer
end

return op_of[op]()
