"""Asking twice is safe: which job an `Idempotency-Key` made, and what was answered."""
