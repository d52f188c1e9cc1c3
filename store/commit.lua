#!lua
-- Commits one scene, all or nothing: if its version and token are still what the caller read, writes
-- elements, tombstone index, batch records, positions and meta; else says what is there now.
-- store/README.md documents the keys and this call for other programs.
--
-- KEYS  meta, elements, tombstones, batches, batches.old, pending (one hash tag, so one slot);
--       optional: a consumer group's watermark, to say what the commit builds on
-- ARGV  1 expected version ('' commits without the check: no elements, version and count stay)
--       2 expected token ('' where the scene does not exist)
--       3 new version, a number    4 new token
--       5 numbers, a space between them: element count, updated_at (record time in ms); how many
--         elements, index additions, index removals, settled records, pending records, positions
--         follow; record time up to which tombstones are dropped, tombstones kept at most; settled
--         records kept in each of two generations, bytes of them, time to live of both in ms
--       6 committed offsets, '<topic>/<partition>=<offset> ...'
--       then: elements (id, value); index additions (record time, id); index removals (id);
--       settled records (field, value); pending records (field, value); the fields of both again;
--       the attempts recorded for these so far ('0': none);
--       positions ('at:<topic>/<partition>', '<offset> <timestamp>');
--       with the watermark: for each position, what its field must be there ('': not looked at)
-- Reply {1, id of each tombstone dropped ...}; {0, version, token} where the check failed, the
--       attempt of a record included; {2} where the watermark is another; an error that starts with
--       SCENESYNC for wrong arguments, with WATERMARK where that key is no hash.
--
-- An error half-way would leave the writes before it. So arguments are checked first, and every key
-- is read, which finds a wrong type, before the first write. Values pass through as opaque bytes.
-- The sections have the shape that the write commands want, so that nothing is copied in Lua.

local HEAD = 6
local GROUP = 7000 -- unpack() fails near 8,000 values; even, so that pairs stay together
local DROPS = 16   -- tombstones looked at per commit

local KEYS, ARGV, call, number, match = KEYS, ARGV, redis.call, tonumber, string.match
local meta, elements, tombstones = KEYS[1], KEYS[2], KEYS[3]
local batches, batches_old, pending, watermark = KEYS[4], KEYS[5], KEYS[6], KEYS[7]

local function wrong(message)
    return redis.error_reply('SCENESYNC ' .. message)
end

-- 1. Arguments.
if #KEYS < 6 or #KEYS > 7 or #ARGV < HEAD then
    return wrong('6 or 7 keys and at least ' .. HEAD .. ' arguments are needed; got ' .. #KEYS
        .. ' and ' .. #ARGV)
end
local element_count, updated_at, writes, added, removed, settled, waiting, positions, cutoff,
    tombstones_max, generation_records, generation_bytes, ttl = match(ARGV[5],
    '^(%d+) (%-?%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%-?%d+) (%d+) (%d+) (%d+) ([1-9]%d*)$')
if not element_count or #ttl > 15 or not match(ARGV[3], '^%d+$') then
    return wrong('argument 3 must be a number and argument 5 thirteen integers with a space '
        .. 'between them, the last one from 1 to 10^15 - 1')
end
writes, added, removed = writes + 0, added + 0, removed + 0
settled, waiting, positions = settled + 0, waiting + 0, positions + 0
local records = settled + waiting
local added_at = HEAD + 1 + 2 * writes
local removed_at = added_at + 2 * added
local settled_at = removed_at + removed
local waiting_at = settled_at + 2 * settled
local fields_at = waiting_at + 2 * waiting
local attempts_at = fields_at + records
local positions_at = attempts_at + records
local last = positions_at + 2 * positions - 1
local expected = watermark and last + positions or last
if #ARGV ~= expected then
    return wrong('the counts make ' .. expected .. ' arguments; got ' .. #ARGV)
end
local checked = ARGV[1] ~= ''
if not checked and writes + added + removed > 0 then
    return wrong('a commit without the check must not change elements')
end
for i = added_at, removed_at - 1, 2 do
    if not match(ARGV[i], '^%-?%d+$') then
        return wrong('argument ' .. i .. ' must be a record time')
    end
end

-- Runs a write command over `list[from..to]`, which is not empty, and adds up its replies.
local function write(command, key, list, from, to)
    if to - from < GROUP then
        return call(command, key, unpack(list, from, to))
    end
    local changed = 0
    for i = from, to, GROUP do
        changed = changed + call(command, key, unpack(list, i, math.min(i + GROUP - 1, to)))
    end
    return changed
end

-- Reads the records' fields in `key`: false where there is none.
local function read_records(key, from, to)
    if to - from < GROUP then
        return call('HMGET', key, unpack(ARGV, from, to))
    end
    local values = {}
    for i = from, to, GROUP do
        local group = call('HMGET', key, unpack(ARGV, i, math.min(i + GROUP - 1, to)))
        for j = 1, #group do
            values[i - from + j] = group[j]
        end
    end
    return values
end

-- The attempt that a record starts with; 0 where there is none.
local function attempt_of(value)
    return value and number(match(value, '^%d+')) or 0
end

-- 2. What the commit builds on. For a worker that lost the partition, and in a store that lost its
-- latest writes, the watermark is another.
for i = 1, watermark and positions or 0 do
    local mark = ARGV[last + i]
    if mark ~= '' then
        local there = redis.pcall('HGET', watermark, ARGV[positions_at + 2 * i - 2])
        if type(there) == 'table' then -- an error
            return match(there.err, '^WRONGTYPE') and redis.error_reply('WATERMARK ' .. there.err)
                or there
        elseif there ~= mark then
            return {2}
        end
    end
end

-- 3. Reads and checks. With elements to write the first write goes to their key, and finds a wrong
-- type as well as a read would.
local state = call('HMGET', meta, 'version', 'commit', 'element_count', 'dedupe')
local version, token = state[1] or '0', state[2] or ''
if writes == 0 then
    call('HLEN', elements)
end
local indexed = call('ZCARD', tombstones)
local stale = checked and (version ~= ARGV[1] or token ~= ARGV[2])
local done -- fields that leave `pending`
if records > 0 then
    local in_pending = read_records(pending, fields_at, attempts_at - 1)
    local in_batches = read_records(batches, fields_at, attempts_at - 1)
    local in_old = read_records(batches_old, fields_at, attempts_at - 1)
    for i = 1, records do
        local recorded = '0'
        if in_pending[i] or in_batches[i] or in_old[i] then
            recorded = tostring(math.max(attempt_of(in_pending[i]),
                attempt_of(in_batches[i]), attempt_of(in_old[i])))
        end
        if ARGV[attempts_at + i - 1] ~= recorded then
            stale = true
        elseif in_pending[i] and i <= settled then
            done = done or {}
            done[#done + 1] = ARGV[fields_at + i - 1]
        end
    end
end
if stale then
    return {0, version, token}
end
local risen = {} -- without the check: the positions that are above what is there
if not checked then
    for i = positions_at, last, 2 do
        local there = call('HGET', meta, ARGV[i])
        local offset, offset_there = match(ARGV[i + 1], '^%d+'), match(there or '', '^%d+')
        if not offset_there or offset and number(offset) > number(offset_there) then
            risen[#risen + 1] = ARGV[i]
            risen[#risen + 1] = ARGV[i + 1]
        end
    end
end

-- The counters of the records and bytes written to `batches` since the last rotation: what was
-- carried over does not make it full.
local counters = state[4] or '0 0'
local must_rotate = false
if settled > 0 then
    local count, bytes = match(counters, '^(%d+) (%d+)$')
    local bytes_before = bytes or 0
    count, bytes = settled + (count or 0), bytes_before
    for i = settled_at, waiting_at - 1 do
        bytes = bytes + #ARGV[i]
    end
    must_rotate = count > settled
        and (count > generation_records + 0 or bytes > generation_bytes + 0)
    if must_rotate then
        count, bytes = settled, bytes - bytes_before
    end
    counters = string.format('%d %d', count, bytes)
end

-- A right that was taken away has to show before the first write, too. Where elements are written
-- the first write is HSET, and tells of itself.
local may = redis.acl_check_cmd
if (writes == 0 and not may('HSET', meta, 'version', version))
    or (records > 0 and not may('PEXPIRE', batches, ttl))
    or (done and not may('HDEL', pending, ''))
    or (added > 0 and not may('ZADD', tombstones, '0', ''))
    or (removed > 0 and not may('ZREM', tombstones, ''))
    or (must_rotate and not (may('EXISTS', batches) and may('HGETALL', batches_old)
        and may('RENAME', batches, batches_old)))
    or (indexed + added > 0 and not (may('ZRANGE', tombstones, '0', '0', 'WITHSCORES')
        and may('ZREM', tombstones, '') and may('HDEL', elements, ''))) then
    return redis.error_reply('NOPERM a command that the commit needs is not allowed to this user')
end

-- 4. Elements and their tombstones.
if writes > 0 then
    write('HSET', elements, ARGV, HEAD + 1, added_at - 1)
end
if added > 0 then
    indexed = indexed + write('ZADD', tombstones, ARGV, added_at, removed_at - 1)
end
if removed > 0 then
    indexed = indexed - write('ZREM', tombstones, ARGV, removed_at, settled_at - 1)
end

-- Makes `batches` the old generation. What was old goes, save the records whose delivery
-- ('<attempt> <topic>/<partition> <offset>\n') is not below the committed offset: they may be
-- needed to publish a result again.
local function rotate()
    if call('EXISTS', batches) == 0 then
        return -- expired
    end
    local committed = {}
    for name, offset in string.gmatch(ARGV[6], '(%S+)=(%d+)') do
        committed[name] = number(offset)
    end
    local carried = {}
    local old = call('HGETALL', batches_old)
    for i = 1, #old, 2 do
        local name, offset = match(old[i + 1], '^%d+ (%S+) (%d+)\n')
        if name and (not committed[name] or number(offset) >= committed[name]) then
            carried[#carried + 1] = old[i]
            carried[#carried + 1] = old[i + 1]
        end
    end
    call('RENAME', batches, batches_old)
    if #carried > 0 then
        write('HSET', batches, carried, 1, #carried)
    end
end

-- 5. Records. Two generations make eviction free.
if settled > 0 then
    if must_rotate then
        rotate()
    end
    write('HSET', batches, ARGV, settled_at, waiting_at - 1)
    if done then
        write('HDEL', pending, done, 1, #done)
    end
end
if waiting > 0 then
    write('HSET', pending, ARGV, waiting_at, fields_at - 1)
end
if records > 0 then
    call('PEXPIRE', batches, ttl)
    call('PEXPIRE', batches_old, ttl)
end

-- 6. Meta.
if checked then
    local to = math.min(last, positions_at + GROUP - 1)
    call('HSET', meta, 'version', ARGV[3], 'commit', ARGV[4], 'element_count', element_count,
        'updated_at', updated_at, 'dedupe', counters, unpack(ARGV, positions_at, to))
    if to < last then
        write('HSET', meta, ARGV, to + 1, last)
    end
else
    call('HSET', meta, 'version', version, 'commit', ARGV[4], 'element_count', state[3] or '0',
        'updated_at', updated_at, 'dedupe', counters)
    if #risen > 0 then
        write('HSET', meta, risen, 1, #risen)
    end
end

-- 7. Old tombstones, a few per commit: by age first, then the oldest beyond what is kept.
if indexed == 0 then
    return {1}
end

local function is_due(score, due_before)
    return number(score) <= number(cutoff) or indexed - due_before > number(tombstones_max)
end

-- True for the bytes of [integer, integer, nil].
local function is_tombstone(value)
    if not value or string.byte(value, 1) ~= 0x93 then
        return false
    end
    local width = {[0xcc] = 2, [0xcd] = 3, [0xce] = 5, [0xcf] = 9,
        [0xd0] = 2, [0xd1] = 3, [0xd2] = 5, [0xd3] = 9}
    local at = 2
    for _ = 1, 2 do
        at = at + (width[string.byte(value, at)] or 1)
    end
    return at == #value and string.byte(value, at) == 0xc0
end

local oldest = call('ZRANGE', tombstones, 0, 0, 'WITHSCORES')
if not is_due(oldest[2], 0) then
    return {1}
end
oldest = call('ZRANGE', tombstones, 0, DROPS - 1, 'WITHSCORES')
local due = {}
for i = 1, #oldest, 2 do
    if is_due(oldest[i + 1], #due) then
        due[#due + 1] = oldest[i]
    end
end
-- An entry whose element is something else only leaves the index.
local values = call('HMGET', elements, unpack(due))
local dropped = {}
for i = 1, #due do
    if is_tombstone(values[i]) then
        dropped[#dropped + 1] = due[i]
    end
end
call('ZREM', tombstones, unpack(due))
if #dropped > 0 then
    call('HDEL', elements, unpack(dropped))
end
return {1, unpack(dropped)}
