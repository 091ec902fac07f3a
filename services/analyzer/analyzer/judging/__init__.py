"""Claude: what it is asked, how its answer is checked, what it cost."""
