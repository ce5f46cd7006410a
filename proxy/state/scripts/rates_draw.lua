local epoch = tonumber(ARGV[2])
if tonumber(redis.call('HGET', key('epoch'), 'number') or 0) ~= epoch then
  return {0, '0', '0', 0, '0'}
end
local cell = key('rate:' .. ARGV[1])
local interval, burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local least, need, want = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local parts, debt, alone = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local slack, lingers, longest = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function exact(number) return string.format('%.17g', number) end

local found = redis.call('HMGET', cell, 'tat', 'interval', 'mark', 'shift', 'at')
local tat, before = tonumber(found[1] or 0), tonumber(found[2] or interval)
local mark, shift, at = tonumber(found[3] or now), tonumber(found[4] or 0), tonumber(found[5] or now)
if before ~= interval or now < at then
  local left = math.max(0, tat - math.max(now, at) + mark)
  mark = math.max(now, mark + 1)
  tat = left * (interval / before) + (now - mark)
  shift = 0
end
local since = now - mark

for i = 14, #ARGV, 4 do
  local free = tonumber(ARGV[i + 1]) - (shift - tonumber(ARGV[i + 3])) - since
  free = math.min(tonumber(ARGV[i]) * interval, free)
  if tonumber(ARGV[i + 2]) == mark and free > 0 then
    tat = tat - free
    shift = shift + free
  end
end
tat = math.max(tat, since)
tat = math.max(tat, math.min(tat + alone * interval, since + burst * interval))
tat = math.max(tat, math.min(tat + debt * interval, since + longest))

local left = math.floor(burst - (tat - since) / interval + slack)
local given = 0
if want > 0 and left >= least then
  given = math.max(0, math.min(need, left))
  given = given + math.max(0, math.min(want - need, math.floor((left - given) / parts)))
end
tat = tat + given * interval
if found[1] or tat > since then
  redis.call('HSET', cell, 'tat', exact(tat), 'interval', exact(interval), 'mark', whole(mark),
    'shift', exact(shift), 'at', whole(now))
  redis.call('PEXPIRE', cell, whole(math.ceil((tat - since) / 1000) + lingers))
end
return {given, exact(tat - since), exact(tat), mark, exact(shift)}
