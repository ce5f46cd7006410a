local pod, mark, name = ARGV[1], ARGV[3], ARGV[4]
local mine, gathered, all = tonumber(ARGV[2]), tonumber(ARGV[5]), ARGV[6] == '1'
local knows, settle, last = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local now, run = clock(), life()
local pods, live, told, epoch = key('pods'), key('live'), key('gathered'), key('epoch')

local known = redis.call('HGET', pods, pod)
if known then
  local its, marked = string.match(known, '^(%d+) (%S+)')
  its = tonumber(its)
  if its > mine or (its == mine and marked ~= mark) then return {now, 0, 0, 0, 0} end
end
local its, said = string.match(redis.call('HGET', key('numbers'), pod) or '', '^(%d+) (%d+)$')
its, said = tonumber(its or 0), tonumber(said or 0)
if its > mine or (its == mine and said >= last) then return {now, -1, 0, 0, 0} end
redis.call('HSET', pods, pod, whole(mine) .. ' ' .. mark .. ' ' .. name)
redis.call('ZADD', live, now, pod)

local found = redis.call('HMGET', epoch, 'number', 'run', 'open', 'until')
local number, open, till = tonumber(found[1] or 0), found[3] == '1', tonumber(found[4] or 0)
if found[2] ~= run or knows > number then
  till = now
  if number == 0 then till = now + settle end
  number = math.max(now, number + 1, knows + 1)
  open = false
  redis.call('DEL', told)
end
if not open then
  for i = 10, #ARGV do
    if redis.call('EXISTS', key('left:' .. ARGV[i])) == 0 and
       redis.call('HSETNX', pods, ARGV[i], '0 - -') == 1 then
      redis.call('ZADD', live, 0, ARGV[i])
    end
  end
  if gathered == number then redis.call('SADD', told, pod) end
  open = now >= till and redis.call('SCARD', told) >= redis.call('HLEN', pods)
end
redis.call('HSET', epoch, 'number', whole(number), 'run', run, 'open', open and '1' or '0',
  'until', whole(till))
for _, each in ipairs({pods, live, told, epoch}) do redis.call('PEXPIRE', each, KEPT) end

local answer = {now, 1, number, open and 1 or 0, alive(now)}
if all then
  local every = redis.call('HGETALL', pods)
  for i = 1, #every, 2 do
    table.insert(answer, every[i])
    table.insert(answer, every[i + 1])
    table.insert(answer, redis.call('ZSCORE', live, every[i]) or '0')
    table.insert(answer, redis.call('SISMEMBER', told, every[i]))
  end
end
return answer
