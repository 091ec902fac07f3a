"""How this process and what it needs are doing, for people and simple monitors."""
