"""Progress as it happens: server-sent events of one job."""
