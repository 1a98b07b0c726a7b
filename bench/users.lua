-- Asks for so many of the warm users in turn as is given, under the path that is given, each thread from a place of its own, and
-- reports the run as one line of JSON.
local users

local threads = 0
function setup(thread)
   thread:set("first", threads * 499)
   threads = threads + 1
end

local requests, asked = {}, 0
function init(arguments)
   users = tonumber(arguments[2])
   for id = 1, users do
      requests[id] = wrk.format("GET", arguments[1] .. id)
   end
   asked = first
end

function request()
   asked = asked + 1
   return requests[asked % users + 1]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "not_2xx": %d, "socket_errors": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout))
end
