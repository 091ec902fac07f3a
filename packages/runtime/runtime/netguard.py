"""Which addresses may be opened: one canonical parse, one explicit table of addresses."""
