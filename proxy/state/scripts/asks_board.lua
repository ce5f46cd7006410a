local answer, every = {}, redis.call('HGETALL', key('board:' .. ARGV[1]))
for i = 1, #every, 2 do
  if every[i] ~= '#' then
    table.insert(answer, every[i])
    table.insert(answer, every[i + 1])
  end
end
return answer
