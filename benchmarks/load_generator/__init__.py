"""The load generator: wrk, or a client in Python. Both send the same traffic and report the same figures."""
