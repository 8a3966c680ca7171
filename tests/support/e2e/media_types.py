NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
