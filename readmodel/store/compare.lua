-- Compares two generations. The library begins in registers.lua.

-- Estimated microseconds. A call ends when it has used up its budget, because it blocks Redis.
local budget, per_pair, per_kilobyte, per_field = 250, 3, 3, 1

-- Returns the fields of a hash, and their number. A missing key has none. Returns nil if the key is no hash.
local function fields_of(key)
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'hash' and kind ~= 'none' then
        return nil, 0
    end
    local stored, fields = redis.call('HGETALL', key), {}
    for i = 1, #stored, 2 do
        fields[stored[i]] = stored[i + 1]
    end
    return fields, #stored / 2
end

-- Appends {pair, field, value in the former hash, value in the new hash} for each register that differs.
-- A missing value is false. If a key is no hash, its values are `no_hash`. Without any register, the field is false.
local function append_differing(differing, pair, former, new, no_hash)
    for field, value in pairs(new or {}) do
        local other = not former and no_hash or former and former[field] or false
        if other ~= value then
            table.insert(differing, {pair, field, other, value})
        end
    end
    for field, value in pairs(former or {}) do
        if not new or not new[field] then
            table.insert(differing, {pair, field, value, not new and no_hash})
        end
    end
    if not former ~= not new and not next(former or new) then
        table.insert(differing, {pair, false, not former and no_hash, not new and no_hash})
    end
end

-- Compares pairs of hashes of one bucket, at least the first one, until the budget is used up.
--
-- KEYS: for each pair the hash in the former generation and the hash in the new one
-- ARGV: the value to return for each register of a key that is no hash
-- Returns the number of compared pairs, and then what `append_differing` appends, with the number of the pair
local function compare(keys, args)
    local result, spent = {0}, 0
    for pair = 1, #keys / 2 do
        local former_key, new_key = keys[2 * pair - 1], keys[2 * pair]
        local former, new = redis.call('DUMP', former_key), redis.call('DUMP', new_key)
        spent = spent + per_pair + per_kilobyte * #(new or '') / 1000
        if former ~= new then -- Equal hashes can have their fields in another order.
            local former_fields, former_size = fields_of(former_key)
            local new_fields, new_size = fields_of(new_key)
            append_differing(result, pair, former_fields, new_fields, args[1])
            spent = spent + per_pair + per_field * (former_size + new_size)
        end
        result[1] = pair
        if spent > budget then
            break
        end
    end
    return result
end

redis.register_function{function_name = 'readmodel_compare', callback = compare, flags = {'no-writes'}}
