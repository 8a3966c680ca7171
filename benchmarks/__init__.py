"""What the service costs, measured on throw-away servers.

`python -m benchmarks` compares it with what it is built on; `cost_of_one_line` and `large_transactions` are programs of
their own: `python -m benchmarks.<name>`.
"""
