-- Sends whole signed requests in turn and reports what came of it as a line of JSON.

local requests
local at = 0

function init(args)
   requests = dofile(args[1])
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nREPORT {"requests":%d,"microseconds":%d,"p50_us":%d,"p99_us":%d,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect, e.read, e.write, e.status, e.timeout))
end
