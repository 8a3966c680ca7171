"""How the benchmarks compute, print and draw their results."""
