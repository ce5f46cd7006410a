local who, pod, of = ARGV[1], ARGV[2], ARGV[3]
local kept, most, most_names = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now, newest = math.floor(clock() / 60000), nil

-- Is there room? Then what is more than what it said before is added.
local function told(minute, first, last)
  local name = key('sums:' .. of .. ':' .. whole(minute))
  local before = redis.call('HGET', name, who)
  if not before and redis.call('HLEN', name) >= most then return false end
  local said, names, parts = {}, 0, {}
  for count, number in string.gmatch(before or '', '(%S+) (%d+)') do
    said[count] = tonumber(number)
    names = names + 1
  end
  for i = first, last, 2 do
    local count, number = ARGV[i], tonumber(ARGV[i + 1])
    local more = number - (said[count] or 0)
    if more > 0 and (said[count] or names < most_names) then
      if not said[count] then names = names + 1 end
      said[count] = number
      redis.call('HINCRBY', name, '=' .. count, whole(more))
    end
  end
  for count, number in pairs(said) do table.insert(parts, count .. ' ' .. whole(number)) end
  redis.call('HSET', name, who, table.concat(parts, ' '))
  redis.call('PEXPIRE', name, kept * 60000)
  return true
end

local i = 7
while i <= #ARGV do
  local minute, last = tonumber(ARGV[i]), i + 1 + 2 * tonumber(ARGV[i + 1])
  if minute > now - kept and minute <= now + 1 and told(minute, i + 2, last) then
    newest = math.max(newest or minute, minute)
  end
  i = last + 1
end
local tellers = key('sums:' .. of)
if newest and newest > tonumber(redis.call('ZSCORE', tellers, pod) or 0) then
  redis.call('ZADD', tellers, newest, pod)
end
redis.call('ZREMRANGEBYSCORE', tellers, '-inf', whole(now - kept))
redis.call('PEXPIRE', tellers, kept * 60000)
return 1
