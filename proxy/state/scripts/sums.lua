local of, minutes = ARGV[1], tonumber(ARGV[2])
local at, names, sums, told = clock(), {}, {}, {}
local now = math.floor(at / 60000)

for i = 3, #ARGV do
  table.insert(names, '=' .. ARGV[i])
  table.insert(sums, 0)
end
for minute = now - minutes + 1, now do
  local name = key('sums:' .. of .. ':' .. whole(minute))
  if #names > 0 and redis.call('EXISTS', name) == 1 then
    for i, number in ipairs(redis.call('HMGET', name, unpack(names))) do
      sums[i] = sums[i] + tonumber(number or 0)
    end
  end
end
for i, number in ipairs(sums) do told[i] = whole(number) end
return {at, told, redis.call('ZRANGEBYSCORE', key('sums:' .. of), whole(now - minutes + 1), '+inf')}
