#!lua name=readmodel

-- Maps each field with cached content to the JSON member that readers cache. The loader inserts the entries.
local cached_members = {--[[entries]]}

local function version_of(register)
    return register and tonumber(string.match(register, '^%d+')) or 0
end

-- Returns whether the cached member differs between the stored and the new value.
local function changes_cached_member(field, stored, value)
    local member = cached_members[field]
    if not stored or not member then
        return false
    end
    local pattern = '"' .. member .. '":([^,}]+)'
    return string.match(stored, pattern) ~= string.match(value, pattern)
end

-- Sets a register if its version is newer. Returns whether a cached member has changed.
local function set_if_newer(key, former_key, field, version, value)
    local stored = redis.call('HGET', key, field)
    local known = version_of(stored)
    if former_key ~= key then
        known = math.max(known, version_of(redis.call('HGET', former_key, field)))
    end
    if tonumber(version) <= known then
        return false
    end
    redis.call('HSET', key, field, value)
    if former_key ~= key then
        redis.call('HDEL', former_key, field)
    end
    return changes_cached_member(field, stored, value)
end

-- Applies registers to one bucket and moves its cursor, or does nothing.
--
-- KEYS: the bucket's cursor; for each register its hash and its former hash; the bucket's history
-- ARGV: `expected` and `position`, both empty if the cursor stays; for each register its field, version and value; the
-- identity of the history; the mark of `position`
-- A process of an older version passes no history, identity and mark, so they are the last ones. A generation of an
-- older version has no history.
-- Returns 0 and does nothing if the bucket is missing, shows another history, or has a cursor below `expected`.
-- Returns 2 if a cached member has changed, and otherwise 1.
local function apply(keys, args)
    local cursor = tonumber(redis.call('GET', keys[1]) or '')
    local expected, position = tonumber(args[1]), tonumber(args[2])
    if not cursor or expected and cursor < expected then
        return 0
    end
    local registers, history = math.floor((#keys - 1) / 2), #keys % 2 == 0 and keys[#keys]
    local identity, mark = args[3 + 3 * registers], args[4 + 3 * registers]
    if history and (redis.call('HGET', history, 'identity') or identity) ~= identity then
        return 0
    end
    local result = 1
    for i = 1, registers do
        if set_if_newer(keys[2 * i], keys[2 * i + 1], args[3 * i], args[3 * i + 1], args[3 * i + 2]) then
            result = 2
        end
    end
    if position and position > cursor then
        redis.call('SET', keys[1], args[2])
        if history then
            redis.call('HSET', history, 'mark', mark)
        end
    end
    return result
end

-- Sets a string if it has the expected value. Returns 1 if it did, and otherwise 0.
-- An empty expected value means that the string must not exist.
local function swap(keys, args)
    if (redis.call('GET', keys[1]) or '') ~= args[1] then
        return 0
    end
    redis.call('SET', keys[1], args[2])
    return 1
end

-- Corrects a register, or a whole key, if it still is what `verify` found. Returns 1 if it did, and otherwise 0.
--
-- KEYS: the key; for a register also the other key in which it may be, or the same key again
-- ARGV: for a register: its field; '=' and the value that was found, or '' if the field was missing; '=' and the value
-- that it should have, or '' to delete it. For a whole key: nothing; the key is deleted if it is no hash
local function repair(keys, args)
    local kind = redis.call('TYPE', keys[1]).ok
    if #args == 0 then
        return kind ~= 'hash' and redis.call('DEL', keys[1]) or 0
    end
    if kind ~= 'hash' and kind ~= 'none' then
        return 0
    end
    local stored = redis.call('HGET', keys[1], args[1])
    if (stored and '=' .. stored or '') ~= args[2] then
        return 0
    end
    if args[3] == '' then
        redis.call('HDEL', keys[1], args[1])
        return 1
    end
    local value, other = string.sub(args[3], 2), redis.pcall('HGET', keys[2], args[1])
    if keys[2] ~= keys[1] and type(other) == 'string' and version_of(other) > version_of(value) then
        return 0 -- The register has moved in the meantime.
    end
    redis.call('HSET', keys[1], args[1], value)
    return 1
end

redis.register_function('readmodel_apply', apply)
redis.register_function('readmodel_repair', repair)
redis.register_function('readmodel_swap', swap)
