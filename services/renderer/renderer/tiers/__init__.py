"""A page through the cheapest tier that gives it whole: plain HTTP, Chromium, or a provider that gets past blocks."""
