"""Load on the renderer as a process of its own: long, bursting, hostile. Each suite ends with its bounds."""
