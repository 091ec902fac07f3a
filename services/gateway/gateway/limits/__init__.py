"""How often anybody may ask."""
