"""A module for each group of rows: `rows` measures them."""
