"""The edge of the API: what is looked at before a request reaches a route."""
