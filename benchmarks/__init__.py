"""What the service costs, measured on throw-away servers. Each module is a program: `python -m benchmarks.<name>`."""
