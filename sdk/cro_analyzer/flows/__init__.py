"""One module for each noun of the API. Every function returns a flow; a driver of `cro_analyzer.driving` runs it."""
