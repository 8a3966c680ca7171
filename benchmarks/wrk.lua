-- Arguments: method, path, body, the status of success, the bound of <random>, a prefix of <id>, a seed.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  method, path, body = args[1], args[2], args[3]
  success, many, prefix = tonumber(args[4]), tonumber(args[5]), args[6]
  math.randomseed(tonumber(args[7]))
  headers = {["Content-Type"] = "application/json"}
  sent, wrong = 0, 0
end

local function filled(text)
  return (text:gsub("<(%a+)>", {id = prefix .. sent, random = math.random(0, many - 1)}))
end

function request()
  sent = sent + 1
  return wrk.format(method, filled(path), headers, filled(body))
end

function response(status)
  if status ~= success then wrong = wrong + 1 end
end

function done(summary, latency)
  local bad = 0
  for _, thread in ipairs(threads) do bad = bad + thread:get("wrong") end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'figures {"answers": %d, "microseconds": %d, "p50": %f, "p99": %f, "wrong": %d, "lost": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad, lost))
end
