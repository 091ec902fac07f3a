"""Getting events to their receivers: a queue, its schedule, and the courier who works it off."""
