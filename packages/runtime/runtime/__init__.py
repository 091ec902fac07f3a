"""Plumbing that every service shares: settings, logging, telemetry, HTTP, address policy."""
