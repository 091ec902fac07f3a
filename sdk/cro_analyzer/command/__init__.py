"""The `cro` command. What needs a server is here; what runs on this machine alone, the platform adds (see `local`)."""
