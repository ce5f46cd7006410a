-- What is later than that stays as it is.
is_next(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return 1
