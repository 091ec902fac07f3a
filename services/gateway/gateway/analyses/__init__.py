"""Analyses: the product itself."""
