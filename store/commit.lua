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
--         records kept in each of two generations, bytes of them, time to live of both in ms, with
--         a '-' where it need be set on a new generation only. The worker gives all of these in
--         MessagePack, the first two as texts: much cheaper to take apart
--       6 committed offsets, '<topic>/<partition>=<offset> ...'
--       then: elements (id, value); index additions (record time, id); index removals (id);
--       settled records (field, value); pending records (field, value): the value starts with its
--       attempt and a space, and what is recorded must be the attempt before (of 1: nothing);
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
    tombstones_max, generation_records, generation_bytes, ttl
if (string.byte(ARGV[5]) or 0) >= 0x80 then
    element_count, updated_at, writes, added, removed, settled, waiting, positions, cutoff,
        tombstones_max, generation_records, generation_bytes, ttl = cmsgpack.unpack(ARGV[5])
else
    element_count, updated_at, writes, added, removed, settled, waiting, positions, cutoff,
        tombstones_max, generation_records, generation_bytes, ttl = match(ARGV[5],
        '^(%d+) (%-?%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%-?%d+) (%d+) (%d+) (%d+) '
            .. '(%-?[1-9]%d*)$')
    if ttl then
        writes, added, removed = number(writes), number(added), number(removed)
        settled, waiting, positions = number(settled), number(waiting), number(positions)
        ttl = number(ttl)
    end
end
if not ttl or ttl <= -1e15 or ttl >= 1e15 or not match(ARGV[3], '^%d+$') then
    return wrong('argument 3 must be a number and argument 5 thirteen integers with a space '
        .. 'between them, the last one from 1 to 10^15 - 1, or that with a minus')
end
local records = settled + waiting
local added_at = HEAD + 1 + 2 * writes
local removed_at = added_at + 2 * added
local settled_at = removed_at + removed
local waiting_at = settled_at + 2 * settled
local positions_at = waiting_at + 2 * waiting
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
local state = call('HMGET', meta, 'version', 'commit', 'dedupe')
local version, token = state[1] or '0', state[2] or ''
if checked and (version ~= ARGV[1] or token ~= ARGV[2]) then
    return {0, version, token}
end
if writes == 0 then
    call('HLEN', elements)
end
local indexed = call('ZCARD', tombstones)

-- `dedupe`: records and bytes written to `batches` since the last rotation (what was carried over
-- does not make it full), and whether `pending` and `batches_old` may hold anything, a digit each.
-- An older worker does not say the latter: then they are asked.
local count, bytes, flags = match(state[3] or '', '^(%d+) (%d+) ?([01]*)$')
count, bytes = number(count or 0), number(bytes or 0)
local has_pending, has_old
if flags and #flags == 2 then
    has_pending, has_old = flags == '10' or flags == '11', flags == '01' or flags == '11'
else
    has_pending, has_old = call('EXISTS', pending) == 1, call('EXISTS', batches_old) == 1
end
local begins, must_rotate = false, false -- a generation; the one before becomes the old one
if settled > 0 then
    begins = count == 0
    local count_before, bytes_before = count, bytes
    count = count + settled
    for i = settled_at, waiting_at - 1 do
        bytes = bytes + #ARGV[i]
    end
    must_rotate = count_before > 0
        and (count > number(generation_records) or bytes > number(generation_bytes))
    if must_rotate then
        begins, count, bytes = true, settled, bytes - bytes_before
    end
end

-- Each record's attempt must be the one behind the latest that is recorded. What will be written to
-- is looked into as well: that finds a wrong type.
local stale = false
local done -- fields that leave `pending`
for i = 1, records do
    local field, value = ARGV[settled_at + 2 * i - 2], ARGV[settled_at + 2 * i - 1]
    local attempt = match(value, '^([1-9]%d*) ')
    if not attempt then
        return wrong('argument ' .. settled_at + 2 * i - 1
            .. ' must start with an attempt and a space')
    end
    local recorded = 0
    for look = 1, 3 do
        local key = look == 1 and batches or look == 2 and has_old and batches_old
            or look == 3 and (has_pending or waiting > 0) and pending
        local there = key and call('HGET', key, field)
        if there then
            recorded = math.max(recorded, number(match(there, '^%d+') or 0))
            if look == 3 and i <= settled then
                done = done or {}
                done[#done + 1] = field
            end
        end
    end
    stale = stale or attempt - 1 ~= recorded
end
if stale then
    return {0, version, token}
end
local risen = {} -- without the check: the positions that are above what is there
if not checked then
    element_count = call('HGET', meta, 'element_count') or '0'
    for i = positions_at, last, 2 do
        local there = call('HGET', meta, ARGV[i])
        local offset, offset_there = match(ARGV[i + 1], '^%d+'), match(there or '', '^%d+')
        if not offset_there or offset and number(offset) > number(offset_there) then
            risen[#risen + 1] = ARGV[i]
            risen[#risen + 1] = ARGV[i + 1]
        end
    end
end

-- Tombstones that may be due for dropping: by their age, or beyond what is kept.
local may_drop = indexed + added > number(tombstones_max)
if indexed > 0 and not may_drop then
    may_drop = number(call('ZRANGE', tombstones, 0, 0, 'WITHSCORES')[2]) <= number(cutoff)
end
for i = added_at, removed_at - 1, 2 do
    may_drop = may_drop or number(ARGV[i]) <= number(cutoff)
end

-- A right that was taken away has to show before the first write, too. Where elements are written
-- the first write is HSET, and tells of itself.
local may = redis.acl_check_cmd
local sets_expiry = begins or records > 0 and ttl > 0
ttl = math.abs(ttl)
if (writes == 0 and not may('HSET', meta, 'version', version))
    or (sets_expiry and not may('PEXPIRE', batches, ttl))
    or (done and not (may('HDEL', pending, '') and may('EXISTS', pending)))
    or (added > 0 and not may('ZADD', tombstones, '0', ''))
    or (removed > 0 and not may('ZREM', tombstones, ''))
    or (must_rotate and not (may('EXISTS', batches) and may('HGETALL', batches_old)
        and may('RENAME', batches, batches_old)))
    or (may_drop and not (may('ZRANGE', tombstones, '0', '0', 'WITHSCORES')
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

-- 5. Records. Two generations make eviction free.
if must_rotate and call('EXISTS', batches) == 1 then -- it may have expired
    -- `batches` becomes the old generation. What was old goes, save the records whose delivery
    -- ('<attempt> <topic>/<partition> <offset>\n') is not below the committed offset: they may be
    -- needed to publish a result again.
    local committed = {}
    for name, offset in string.gmatch(ARGV[6], '(%S+)=(%d+)') do
        committed[name] = number(offset)
    end
    local carried = {}
    local old = has_old and call('HGETALL', batches_old) or {}
    for i = 1, #old, 2 do
        local name, offset = match(old[i + 1], '^%d+ (%S+) (%d+)\n')
        if name and (not committed[name] or number(offset) >= committed[name]) then
            carried[#carried + 1] = old[i]
            carried[#carried + 1] = old[i + 1]
        end
    end
    call('RENAME', batches, batches_old)
    has_old = true
    if #carried > 0 then
        write('HSET', batches, carried, 1, #carried)
    end
end
if settled > 0 then
    write('HSET', batches, ARGV, settled_at, waiting_at - 1)
end
if done then
    write('HDEL', pending, done, 1, #done)
    has_pending = call('EXISTS', pending) == 1
end
if waiting > 0 then
    write('HSET', pending, ARGV, waiting_at, positions_at - 1)
    has_pending = true
end
if sets_expiry then
    call('PEXPIRE', batches, ttl)
    if has_old then
        call('PEXPIRE', batches_old, ttl)
    end
end

-- 6. Meta.
local counters = count .. ' ' .. bytes .. ' ' .. (has_pending and '1' or '0')
    .. (has_old and '1' or '0')
if checked then
    local to = math.min(last, positions_at + GROUP - 1)
    call('HSET', meta, 'version', ARGV[3], 'commit', ARGV[4], 'element_count', element_count,
        'updated_at', updated_at, 'dedupe', counters, unpack(ARGV, positions_at, to))
    if to < last then
        write('HSET', meta, ARGV, to + 1, last)
    end
else
    call('HSET', meta, 'version', version, 'commit', ARGV[4], 'element_count', element_count,
        'updated_at', updated_at, 'dedupe', counters)
    if #risen > 0 then
        write('HSET', meta, risen, 1, #risen)
    end
end

-- 7. Old tombstones, a few per commit: by age first, then the oldest beyond what is kept.
if not may_drop then
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

local oldest = call('ZRANGE', tombstones, 0, DROPS - 1, 'WITHSCORES')
local due = {}
for i = 1, #oldest, 2 do
    if is_due(oldest[i + 1], #due) then
        due[#due + 1] = oldest[i]
    end
end
if #due == 0 then
    return {1}
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
