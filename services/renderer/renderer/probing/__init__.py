"""Measurements of a page that cost time of their own: asked for one by one, limited, and never worth the result."""
