"""Who changed what: an append-only log of every mutating call."""
