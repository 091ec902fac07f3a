"""The whole platform in one process: embedded profile and command line."""
