"""Groups of rows of results.md. The function `measure_rows` of each module measures its rows."""
