-- Sends one signed request again and again and reports what came of it as a line of JSON.
-- Without a `request` function wrk formats the request once and stays out of Lua while it measures.

function init(args)
   local signed = dofile(args[1])
   wrk.method = "POST"
   wrk.path = "/"
   wrk.headers = signed.headers
   wrk.body = signed.body
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nREPORT {"requests":%d,"microseconds":%d,"p50_us":%d,"p99_us":%d,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect, e.read, e.write, e.status, e.timeout))
end
