"""One module per errand. A handler parses, calls, renders: at most fifteen lines, no decision of its own."""
