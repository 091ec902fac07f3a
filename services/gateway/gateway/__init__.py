"""The public API, the job queue and the worker."""
