-- Stands before every script. KEYS[1] is what all keys begin with, and holds the one hash tag.
-- Numbers are doubles: what is kept goes through `whole`, or it would be cut to 14 digits.
local KEPT, ALIVE = 3456000000, 5000 -- as state/shared/fleet.py has them
local function key(name) return KEYS[1] .. name end
local function whole(number) return string.format('%.0f', number) end
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- Which life of the server this is: another one after a restart or a failover.
local function life() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end
-- So many pods were heard of lately.
local function alive(now)
  return redis.call('ZCOUNT', key('live'), '(' .. whole(now - ALIVE), '+inf')
end
-- Is it the pod that speaks for itself, and no earlier life or copy? ARGV begins with who it is.
local function is_known()
  return redis.call('HGET', key('pods'), ARGV[1]) == ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]
end
-- Is what a pod says not void? Then nothing that it said before counts any more.
local function is_next(pod, its, number)
  local before = redis.call('HGET', key('numbers'), pod)
  if before then
    local known, last = string.match(before, '^(%d+) (%d+)$')
    known, last = tonumber(known), tonumber(last)
    if known > its or (known == its and last >= number) then return false end
  end
  redis.call('HSET', key('numbers'), pod, whole(its) .. ' ' .. whole(number))
  redis.call('PEXPIRE', key('numbers'), KEPT)
  return true
end
-- A line has more on it of pods that are gone: others are to hear of it.
local function departed(name)
  local number = redis.call('INCR', key('departures'))
  redis.call('ZADD', key('departed'), number, name)
  redis.call('PEXPIRE', key('departures'), KEPT)
  redis.call('PEXPIRE', key('departed'), KEPT)
end
local function publish(topic, said) redis.call('PUBLISH', key('news'), topic .. ' ' .. said) end
