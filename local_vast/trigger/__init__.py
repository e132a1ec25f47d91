"""The element trigger of the endpoint."""
