"""Wire types between the services and to customers: pydantic only, no I/O."""
