"""Pages to pixels and facts, in a pool of Chromium."""
