-- Corrects what `verify` has found. The library begins in registers.lua.

-- Corrects a register, or a whole key, if it still is what `verify` found. Returns 1 if it did, and otherwise 0.
--
-- KEYS: the key; for a register also the other key in which it may be, or the same key again, and its lists
-- ARGV: for a register: its field; '=' and the value that was found, or '' if the field was missing; '=' and the value
-- that it should have, or '' to delete it; the name of its entries. For a whole key: a type; the key is deleted if it
-- has another type
local function repair(keys, args)
    local kind = redis.call('TYPE', keys[1]).ok
    if #args == 1 then
        return kind ~= args[1] and redis.call('DEL', keys[1]) or 0
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
    replace_entries(keys, 2, #keys - 2, args[4], stored, value)
    return 1
end

-- Adds or removes an entry of a list, as its register says. Returns 1 if the list has changed, and otherwise 0.
--
-- KEYS: the list; the hash of the register
-- ARGV: the entry; the field of the register; the place of the list among the lists of the register, from 1
local function relist(keys, args)
    local stored = redis.pcall('HGET', keys[2], args[2])
    local order = type(stored) == 'string' and orders_of(stored)[tonumber(args[3])] or ''
    local name = string.match(args[1], '^[^%z]*%z([^%z]*)%z')
    if order ~= '' and name and entry(order, name, stored) == args[1] then
        return redis.call('ZADD', keys[1], 0, args[1])
    end
    return redis.call('ZREM', keys[1], args[1])
end

redis.register_function('readmodel_repair', repair)
redis.register_function('readmodel_relist', relist)
