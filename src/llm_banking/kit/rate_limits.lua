-- Takes one token from every bucket, or none from any. The clock is Redis's own, so all workers share it.
--
-- KEYS[i]      a bucket: "level:moment", or absent, which means full
-- ARGV[4i-3]   units that a token costs
-- ARGV[4i-2]   units that come back in a microsecond
-- ARGV[4i-1]   units that the bucket holds
-- ARGV[4i]     microseconds in which an empty bucket fills, rounded up
--
-- Every number is a whole one below 2^53, which a double holds exactly.
-- Returns {1 if the tokens were taken else 0, the units now in each bucket ...}.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local levels, moments, taken = {}, {}, 1

for i, key in ipairs(KEYS) do
  local cost, rate, capacity, fill = tonumber(ARGV[4*i-3]), tonumber(ARGV[4*i-2]), tonumber(ARGV[4*i-1]), tonumber(ARGV[4*i])
  local level, moment = capacity, now
  local kept = redis.call('GET', key)
  if kept then
    local split = string.find(kept, ':', 1, true)
    local then_level, then_moment = tonumber(string.sub(kept, 1, split - 1)), tonumber(string.sub(kept, split + 1))
    local elapsed = now - then_moment
    if elapsed < 0 and elapsed >= -fill then
      -- The clock was set back: no time is counted twice.
      elapsed, moment = 0, then_moment
    end
    if elapsed >= 0 and elapsed < fill then
      level = math.min(capacity, then_level + elapsed * rate)
    end
  end
  if level < cost then taken = 0 end
  levels[i], moments[i] = level, moment
end

if taken == 1 then
  for i, key in ipairs(KEYS) do
    levels[i] = levels[i] - tonumber(ARGV[4*i-3])
    -- Two milliseconds more than it takes to fill: Redis rounds them down, and a key must not go while it matters.
    local keep_ms = math.floor((moments[i] - now + (tonumber(ARGV[4*i-1]) - levels[i]) / tonumber(ARGV[4*i-2])) / 1000) + 2
    redis.call('SET', key, string.format('%.0f:%.0f', levels[i], moments[i]), 'PX', string.format('%.0f', keep_ms))
  end
end
return {taken, unpack(levels)}
