-- wrk: counts answers by status and by X-Cache-Status, and prints one line of JSON at the end.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

-- Only numbers and strings go from a thread to done(), so each kind of answer is a global number of its thread.
local statuses = {"200", "304", "4xx", "5xx", "other"}
local results = {"HIT", "MISS", "STALE", "ERROR", "DISABLED", "none"}

function init(arguments)
  for _, status in ipairs(statuses) do _G["status_" .. status] = 0 end
  for _, result in ipairs(results) do _G["cache_" .. result] = 0 end
end

function response(status, headers, body)
  local kind = "other"
  if status == 200 or status == 304 then kind = tostring(status)
  elseif status >= 500 then kind = "5xx"
  elseif status >= 400 then kind = "4xx" end
  _G["status_" .. kind] = _G["status_" .. kind] + 1
  local result = "cache_" .. (headers["X-Cache-Status"] or "none")
  _G[result] = (_G[result] or 0) + 1
end

function done(summary, latency, requests)
  local parts = {}
  local function sum(prefix, name)
    local total = 0
    for _, thread in ipairs(threads) do total = total + (thread:get(prefix .. name) or 0) end
    table.insert(parts, string.format('"%s": %d', name, total))
  end
  for _, status in ipairs(statuses) do sum("status_", status) end
  for _, result in ipairs(results) do sum("cache_", result) end
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "max_us": %d, "failed": %d, %s}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.timeout, table.concat(parts, ", ")))
end
