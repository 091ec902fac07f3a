"""Batches: up to ten thousand URLs in one request, each of which ends exactly once."""
