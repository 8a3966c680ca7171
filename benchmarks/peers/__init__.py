"""Two peers of the service, and the job that all three do: `python -m benchmarks.peers`."""
