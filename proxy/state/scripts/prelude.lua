-- Stands before every script. KEYS[1] is what all keys begin with, and holds the one hash tag.
-- Numbers are doubles: what is kept goes through `whole`, or it would be cut to 14 digits.
local function key(name) return KEYS[1] .. name end
local function whole(number) return string.format('%.0f', number) end
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- Which life of the server this is: another one after a restart or a failover.
local function life() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end
local function publish(topic, said) redis.call('PUBLISH', key('news'), topic .. ' ' .. said) end
