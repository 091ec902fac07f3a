"""One result for all who ask the same: of a tenant, within an age that each may name."""
