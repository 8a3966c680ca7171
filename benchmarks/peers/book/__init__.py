"""The write side in the design of *Architecture Patterns with Python*, without its read model and its messages."""
