-- The operations on the queue, each a transaction: the first argument names it.
--
-- `jobs` is a stream with one consumer group, whose pending entries are the running jobs; an entry is deleted when it
-- has ended. A job that failed is in the sorted set `later` until its time comes, and then at the end of the stream.
-- `dead` is a stream, too; of the jobs that are done there is a count. An attempt is an entry's own number of attempts
-- before it was put on the stream, and its deliveries since.

local jobs, later, done, dead = unpack(KEYS)
redis.pcall('XGROUP', 'CREATE', jobs, 'workers', '0', 'MKSTREAM')
local running = redis.call('XPENDING', jobs, 'workers')[1]
local waiting = redis.call('XLEN', jobs) - running
local failed = redis.call('ZCARD', later)
local done_count = tonumber(redis.call('GET', done) or 0)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function add(message, attempts)
    redis.call('XADD', jobs, '*', 'message', message, 'attempts', attempts)
end

-- The attempts before an entry was put on the stream. Others may have put it there without.
local function before(entry)
    return tonumber(entry[2][4]) or 0
end

local operations = {}

function operations.push(messages, count, waiting_max)
    if waiting + failed + count > tonumber(waiting_max) then return 0 end
    for message in messages:gmatch('[^\n]+') do add(message, 0) end
    return 1
end

-- At most a hundred failed jobs go back to the stream at once, so that the server is not held up.
function operations.claim(lease)
    for _, job in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 100)) do
        local attempts, message = job:match('^[^:]*:(%d+):(.*)$')
        add(message or '', attempts or 0)
        redis.call('ZREM', later, job)
    end
    local lapsed = redis.call('XPENDING', jobs, 'workers', 'IDLE', lease, '-', '+', 1)[1]
    if lapsed then
        local entry = redis.call('XCLAIM', jobs, 'workers', 'worker', lease, lapsed[1])[1]
        if entry then return { entry[1], entry[2][2], before(entry) + lapsed[4] + 1 } end
        -- Somebody has deleted it.
        redis.call('XACK', jobs, 'workers', lapsed[1])
        return false
    end
    local read = redis.call('XREADGROUP', 'GROUP', 'workers', 'worker', 'COUNT', 1, 'STREAMS', jobs, '>')
    local entry = read and read[1][2][1]
    return entry and { entry[1], entry[2][2], before(entry) + 1 }
end

function operations.note(id, attempt, state, after, error)
    local entry = redis.call('XRANGE', jobs, id, id)[1]
    local held = redis.call('XPENDING', jobs, 'workers', id, id, 1)[1]
    if not entry or not held or before(entry) + held[4] ~= tonumber(attempt) then return 0 end
    if state == 'running' then
        redis.call('XCLAIM', jobs, 'workers', 'worker', 0, id, 'JUSTID')
        return 1
    end
    redis.call('XACK', jobs, 'workers', id)
    redis.call('XDEL', jobs, id)
    local message = entry[2][2]
    if state == 'queued' then
        redis.call('ZADD', later, now + after, id .. ':' .. attempt .. ':' .. message)
    elseif state == 'done' then
        redis.call('INCR', done)
    else
        redis.call('XADD', dead, '*', 'message', message, 'attempts', attempt, 'error', error)
    end
    return 1
end

function operations.report(shown_max)
    local last_dead = {}
    for i, entry in ipairs(redis.call('XREVRANGE', dead, '+', '-', 'COUNT', shown_max)) do
        last_dead[i] = { entry[2][2], before(entry), entry[2][6] or '' }
    end
    return { { waiting, running, done_count, failed, redis.call('XLEN', dead) }, last_dead }
end

function operations.prune(done_max, dead_max)
    if done_count > tonumber(done_max) then redis.call('SET', done, done_max) end
    return redis.call('XTRIM', dead, 'MAXLEN', dead_max)
end

return operations[ARGV[1]](unpack(ARGV, 2))
