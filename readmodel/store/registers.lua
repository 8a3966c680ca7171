#!lua name=readmodel

local function version_of(register)
    return register and tonumber(string.match(register, '^%d+')) or 0
end

local function eta_of(register)
    return register and string.match(register, '"eta":([^,}]+)')
end

-- Returns whether a batch had another ETA before.
local function set_if_newer(home, elsewhere, field, version, value)
    local stored = redis.call('HGET', home, field)
    local known = version_of(stored)
    if elsewhere ~= home then
        known = math.max(known, version_of(redis.call('HGET', elsewhere, field)))
    end
    if tonumber(version) > known then
        redis.call('HSET', home, field, value)
        if elsewhere ~= home then
            redis.call('HDEL', elsewhere, field)
        end
        return stored and field == 'state' and eta_of(stored) ~= eta_of(value)
    end
end

-- Applies registers to one bucket, and moves its cursor, or does nothing.
--
-- KEYS: the bucket's cursor; then, for each register, its home and where else it may stand
-- ARGV: the position up to which the bucket must have been applied, the position up to which it has been with these
--       registers (both empty: the cursor stays); then, for each register, its field, version and value
-- Returns 1; 2 where an ETA is another one now; or 0, and has done nothing, where the bucket is not there or not as far
-- as expected.
local function apply(keys, args)
    local cursor = tonumber(redis.call('GET', keys[1]) or '')
    local expected, position = tonumber(args[1]), tonumber(args[2])
    if not cursor or expected and cursor < expected then
        return 0
    end
    local result = 1
    for i = 1, (#keys - 1) / 2 do
        if set_if_newer(keys[2 * i], keys[2 * i + 1], args[3 * i], args[3 * i + 1], args[3 * i + 2]) then
            result = 2
        end
    end
    if position and position > cursor then
        redis.call('SET', keys[1], args[2])
    end
    return result
end

-- Sets a string if it still is as expected (empty: not there). Returns 1, or 0 where it is not.
local function swap(keys, args)
    if (redis.call('GET', keys[1]) or '') ~= args[1] then
        return 0
    end
    redis.call('SET', keys[1], args[2])
    return 1
end

redis.register_function('readmodel_apply', apply)
redis.register_function('readmodel_swap', swap)
