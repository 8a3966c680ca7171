-- Arguments: method, path, body, status of success, upper bound of <random>, prefix of <id>, seed.

local threads = {}
local prepared = {}

function setup(thread)
  table.insert(threads, thread)
end

local function request_with(values)
  return wrk.format(method, (path:gsub("<(%a+)>", values)), headers, (body:gsub("<(%a+)>", values)))
end

function init(args)
  method, path, body = args[1], args[2], args[3]
  success, many, prefix = tonumber(args[4]), tonumber(args[5]), args[6]
  math.randomseed(tonumber(args[7]))
  headers = {["Content-Type"] = "application/json"}
  sent, wrong = 0, 0
  if not (path .. body):find("<id>") then
    -- Prepared before the start, because the generator and the service share the machine's cores.
    for number = 0, many - 1 do table.insert(prepared, request_with({random = number})) end
  end
end

function request()
  sent = sent + 1
  if #prepared > 0 then return prepared[math.random(#prepared)] end
  return request_with({id = prefix .. sent, random = math.random(0, many - 1)})
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
