"""Webhooks: a tenant's endpoints, their secrets, and the log of what was delivered to them."""
