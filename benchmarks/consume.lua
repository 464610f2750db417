-- Receives messages and deletes what it received, over and over, and reports what came of it as a line of JSON.
--
-- The plan (args[1]) is a table: `receive` and, where each message is sent first, `send` are whole signed requests;
-- a delete carries the handles it was given, so it is signed here: `delete_head` is its head up to the signature,
-- `canonical` and `to_sign` are how the canonical request and what is signed begin, `key` is the signing key.
--
-- wrk tells a script neither which connection is asked nor which one is answered, so that the connections share what
-- there is to do: whatever was received is deleted first. An answer tells what it is for by what it says; one that
-- says nothing is a DeleteMessage's as long as there are any under way, else a receive's that found nothing.

local ffi = require("ffi")
ffi.cdef [[
   typedef struct { long seconds; long nanoseconds; } Moment;
   int clock_gettime(int clock, Moment *moment);
   int getpid(void);
   int kill(int process, int signal);
   unsigned char *SHA256(const char *data, size_t length, unsigned char *digest);
   const void *EVP_sha256(void);
   unsigned char *HMAC(const void *hash, const char *key, int key_length, const char *data, size_t length,
                       unsigned char *digest, unsigned *digest_length);
]]
local crypto = ffi.load("libcrypto.so.3")
local MONOTONIC, INTERRUPT = 1, 2

local moment = ffi.new("Moment")
local digest = ffi.new("unsigned char[32]")
local HEX = {}
for byte = 0, 255 do HEX[byte] = string.format("%02x", byte) end

local threads = {}
local plan, deadline
local handles, seen = {}, {}
local owed = 0       -- Messages that were sent, and that nobody has asked for yet.
local under_way = 0  -- DeleteMessage that are not answered yet.
local verified, over = false, false

-- What `done` asks for is global.
began, ended, sent, deleted, repeated, wrong = 0, 0, 0, 0, 0, ""

local function now()
   ffi.C.clock_gettime(MONOTONIC, moment)
   return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local function hex()
   local parts = {}
   for at = 0, 31 do parts[at + 1] = HEX[digest[at]] end
   return table.concat(parts)
end

local function hashed(text)
   crypto.SHA256(text, #text, digest)
   return hex()
end

local function delete(received)
   local body
   if plan.at_once == 1 then
      body = string.format('{"QueueUrl":%s,"ReceiptHandle":"%s"}', plan.queue_url, received[1])
   else
      local entries = {}
      for at, handle in ipairs(received) do
         entries[at] = string.format('{"Id":"%d","ReceiptHandle":"%s"}', at, handle)
      end
      body = string.format('{"QueueUrl":%s,"Entries":[%s]}', plan.queue_url, table.concat(entries, ","))
   end
   local to_sign = plan.to_sign .. hashed(plan.canonical .. hashed(body))
   crypto.HMAC(crypto.EVP_sha256(), plan.key, #plan.key, to_sign, #to_sign, digest, nil)
   return string.format("%s%s\r\nContent-Length: %d\r\n\r\n%s", plan.delete_head, hex(), #body, body)
end

-- Stops wrk before its time: the thread by its method, the process, which sleeps meanwhile, by the signal.
local function stop()
   if over then return end
   over = true
   wrk.thread:stop()
   ffi.C.kill(ffi.C.getpid(), INTERRUPT)
end

local function fail(reason)
   wrong = reason
   stop()
end

local function received(body)
   local batch = {}
   for handle in body:gmatch('"ReceiptHandle": *"([^"]*)"') do
      if handle:find("\\", 1, true) then return fail("a receipt handle with an escape: " .. handle) end
      batch[#batch + 1] = handle
   end
   local count = 0
   for id in body:gmatch('"MessageId": *"([^"]*)"') do
      count = count + 1
      if seen[id] then
         repeated = repeated + 1
      else
         seen[id] = true
      end
   end
   if count ~= #batch then return fail("messages without ids or handles: " .. body:sub(1, 300)) end
   handles[#handles + 1] = batch
end

local function gone(count)
   deleted = deleted + count
   ended = now()
   if deleted - repeated >= plan.messages then stop() end
end

local function answered(body)
   if body:find('"Failed": *%[ *{') then
      fail("not all were deleted: " .. body:sub(1, 300))
   elseif body:find('"Successful"', 1, true) then
      gone(select(2, body:gsub('"Id"', "")))
   elseif plan.at_once == 1 and under_way > 0 then
      under_way = under_way - 1
      gone(1)
   elseif plan.send then
      owed = owed + 1
   end
end

function setup(thread)
   threads[#threads + 1] = thread
end

function init(args)
   plan = dofile(args[1])
end

function request()
   if not verified then
      -- wrk asks once before it begins, to see how many requests it is given at a time.
      verified = true
      return plan.receive
   end
   if began == 0 then
      began = now()
      deadline = began + plan.seconds
   end
   local batch = table.remove(handles)
   if batch then
      under_way = under_way + 1
      return delete(batch)
   end
   if plan.send then
      if owed == 0 then return plan.send end
      owed = owed - 1
   end
   return plan.receive
end

function response(status, headers, body)
   if over then return end
   if status ~= 200 then return fail(status .. ": " .. body:sub(1, 300)) end
   if body:find('"ReceiptHandle"', 1, true) then
      received(body)
   elseif plan.send and body:find('"MD5OfMessageBody"', 1, true) then
      sent = sent + 1
      owed = owed + 1
   else
      answered(body)
   end
   if now() >= deadline then stop() end
end

function done(summary, latency, requests)
   local e = summary.errors
   local t = threads[1]
   io.write(string.format(
      '\nREPORT {"requests":%d,"microseconds":%d,"p50_us":%d,"p99_us":%d,' ..
      '"sent":%d,"deleted":%d,"repeated":%d,"wrong":"%s",' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
      summary.requests, (t:get("ended") - t:get("began")) * 1e6, latency:percentile(50), latency:percentile(99),
      t:get("sent"), t:get("deleted"), t:get("repeated"), t:get("wrong"):gsub('[\\"%c]', "."),
      e.connect, e.read, e.write, e.status, e.timeout))
end
