"""Versioned deterministic rules: data beside small pure functions."""
