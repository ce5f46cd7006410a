return redis.call('ZRANGEBYSCORE', key('boards'), '(' .. whole(clock()), '+inf', 'LIMIT', 0, 1000)
