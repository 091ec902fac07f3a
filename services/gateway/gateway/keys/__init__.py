"""API keys, as their owners manage them."""
