#!lua
-- Compares entries of a consumer group's watermark and sets them, all or nothing: every one must be
-- as the caller expects it, in the store whose history the caller knows.
--
-- KEYS  the watermark
-- ARGV  1 Redis's replication id as the caller's connection saw it first ('': it has not yet)
--       then for each entry: its field; then for each entry: what must stand there ('': nothing);
--       then for each entry: its field, what shall stand there
-- Reply {1, replication id}; {0, what stands there ...} where an entry is another; an error that
--       starts with HISTORY where the replication id is another, with WATERMARK where the key is no
--       hash, with SCENESYNC for wrong arguments.
--
-- A replica that is promoted behind an open connection may lack writes that were acknowledged, and
-- have the watermark of before them all the same. Its replication id is a new one.

local ENTRIES_MAX = 1000 -- unpack() fails near 8,000 values

local key, history = KEYS[1], ARGV[1]
local entries = (#ARGV - 1) / 4
if #KEYS ~= 1 or entries < 0 or entries % 1 ~= 0 or entries > ENTRIES_MAX then
    return redis.error_reply('SCENESYNC 1 key and 1 argument are needed, and 4 arguments for each of '
        .. 'at most ' .. ENTRIES_MAX .. ' entries; got ' .. #KEYS .. ' and ' .. #ARGV)
end

local now = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not now then
    return redis.error_reply('UNSUPPORTED the server names no replication id')
end
if history ~= '' and history ~= now then
    return redis.error_reply('HISTORY Redis\'s replication history changed from ' .. history .. ' to '
        .. now)
end

local there
if entries > 0 then
    there = redis.pcall('HMGET', key, unpack(ARGV, 2, 1 + entries))
else
    there = redis.pcall('HLEN', key)
end
if type(there) == 'table' and there.err then
    return string.match(there.err, '^WRONGTYPE') and redis.error_reply('WATERMARK ' .. there.err)
        or there
end
for i = 1, entries do
    if (there[i] or '') ~= ARGV[1 + entries + i] then
        return {0, unpack(there)}
    end
end
if entries > 0 then
    redis.call('HSET', key, unpack(ARGV, 2 + 2 * entries, #ARGV))
end
return {1, now}
