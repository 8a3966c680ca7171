#!lua name=readmodel

-- Maps each field with cached content to the JSON member that readers cache. The loader inserts the entries.
local cached_members = {--[[entries]]}

local function version_of(value)
    return value and tonumber(string.match(value, '^%d+')) or 0
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

-- Returns the order of a register in each of its lists: '' if it is not in the list.
local function orders_of(value)
    local orders = {}
    for order in string.gmatch(string.match(value, '^%d+(:[^ ]*) ') or '', ':([^:]*)') do
        table.insert(orders, order)
    end
    return orders
end

local function entry(order, name, value)
    return order .. '\0' .. name .. '\0' .. value
end

-- Replaces the entries of a register in its lists: the `count` keys after keys[first].
local function replace_entries(keys, first, count, name, stored, value)
    for i, order in ipairs(stored and orders_of(stored) or {}) do
        if order ~= '' and i <= count then
            redis.call('ZREM', keys[first + i], entry(order, name, stored))
        end
    end
    for i, order in ipairs(orders_of(value)) do
        if order ~= '' and i <= count then
            redis.call('ZADD', keys[first + i], 0, entry(order, name, value))
        end
    end
end

-- Sets a register if its version is newer. Returns its stored value, and whether this call has set it.
local function set_if_newer(key, field, value)
    local stored = redis.call('HGET', key, field)
    if version_of(value) <= version_of(stored) then
        return stored, false
    end
    redis.call('HSET', key, field, value)
    return stored, true
end

-- Sets a register as `set_if_newer` does, and deletes it in the hash `former_key`. It can be in one of the two hashes.
local function move_if_newer(key, former_key, field, value)
    if version_of(value) > version_of(redis.call('HGET', former_key, field)) and select(2, set_if_newer(key, field, value))
    then
        redis.call('HDEL', former_key, field)
    end
end

-- Adds an entry to a list that keeps its last entries. An older entry that is added again does not stay.
local function add(key, member, kept)
    redis.call('ZADD', key, 0, member)
    local surplus = redis.call('ZCARD', key) - kept
    if surplus > 0 then
        redis.call('ZREMRANGEBYRANK', key, 0, surplus - 1)
    end
end

-- Applies writes to one bucket and moves its cursor, or does nothing.
--
-- KEYS: the bucket's cursor; the bucket's history; the keys of each write
-- ARGV: `expected`, `position` and the mark of `position`, all empty if the cursor stays; the identity of the history;
-- how many entries a list of events keeps; and for each write its kind and further values:
-- - 'add': adds an entry to a list of events. Its key is that list, and its value the entry
-- - 'move': sets a register. Its keys are its hash and its former hash, and its values the field and the value
-- - a number of lists: sets a register. Its keys are its hash and its lists. Its values are the field and the value and,
--   if it has lists, the name of its entries
-- Returns 0 and does nothing if the bucket is missing, shows another history, or has a cursor below `expected`.
-- Returns 2 if a cached member has changed, and otherwise 1.
local function apply(keys, args)
    local cursor = tonumber(redis.call('GET', keys[1]) or '')
    local expected, position, mark, identity, kept = tonumber(args[1]), tonumber(args[2]), args[3], args[4], tonumber(args[5])
    if not cursor or expected and cursor < expected then
        return 0
    end
    if (redis.call('HGET', keys[2], 'identity') or identity) ~= identity then
        return 0
    end
    local result, key, arg = 1, 3, 6
    while args[arg] do
        local kind, field, value = args[arg], args[arg + 1], args[arg + 2]
        if kind == 'add' then
            add(keys[key], field, kept)
            key, arg = key + 1, arg + 2
        elseif kind == 'move' then
            move_if_newer(keys[key], keys[key + 1], field, value)
            key, arg = key + 2, arg + 3
        else
            local lists = tonumber(kind)
            local stored, is_set = set_if_newer(keys[key], field, value)
            if is_set and lists > 0 then
                replace_entries(keys, key, lists, args[arg + 3], stored, value)
            end
            if is_set and changes_cached_member(field, stored, value) then
                result = 2
            end
            key, arg = key + 1 + lists, arg + (lists > 0 and 4 or 3)
        end
    end
    if position and position > cursor then
        redis.call('SET', keys[1], args[2])
        redis.call('HSET', keys[2], 'mark', mark)
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

redis.register_function('readmodel_apply', apply)
redis.register_function('readmodel_swap', swap)
