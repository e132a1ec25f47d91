"""The object store of the endpoint."""
