local words, numbers, kept = key('kills'), key('kills:numbers'), ARGV[1]
local now, number = clock(), tonumber(redis.call('ZREVRANGE', numbers, 0, 0, 'WITHSCORES')[2] or 0)
local refused = {}

local function refuse(scope, found)
  table.insert(refused, scope)
  table.insert(refused, found)
end

for i = 2, #ARGV, 5 do
  local scope, knows, mark, room, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local found = redis.call('HGET', words, scope)
  local its = found and string.match(found, '^%S*') or '-'
  if text == '' then
    if its == knows then
      redis.call('HDEL', words, scope)
      redis.call('ZREM', numbers, scope)
    end
  elseif not found and redis.call('HLEN', words) >= tonumber(room) then
    refuse(scope, '')
  elseif found and its ~= knows and its ~= mark then
    refuse(scope, found)
  elseif its ~= mark then
    number = math.max(number + 1, now)
    redis.call('HSET', words, scope, mark .. ' ' .. text)
    redis.call('ZADD', numbers, whole(number), scope)
    publish('kills', text)
  end
end
redis.call('PEXPIRE', words, kept)
redis.call('PEXPIRE', numbers, kept)
return refused
