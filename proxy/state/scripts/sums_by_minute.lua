local of, minutes = ARGV[1], tonumber(ARGV[2])
local at, names, rows = clock(), {}, {}
local now = math.floor(at / 60000)

for i = 3, #ARGV do table.insert(names, '=' .. ARGV[i]) end
for minute = now - minutes + 1, now do
  local name = key('sums:' .. of .. ':' .. whole(minute))
  if redis.call('EXISTS', name) == 1 then
    local row = {whole(minute)}
    if #names > 0 then
      for _, number in ipairs(redis.call('HMGET', name, unpack(names))) do
        table.insert(row, number or '0')
      end
    end
    table.insert(rows, row)
  end
end
return {at, rows}
