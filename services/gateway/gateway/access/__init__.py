"""Who may do what: keys as bytes, scopes, plans, and the ring of keys that were seen lately."""
