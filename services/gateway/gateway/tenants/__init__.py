"""Tenants: customers, their plans, and the commands that make them."""
