"""Web apps that the benchmarks serve beside or instead of the service's own app."""
