"""Rows and the upsert: the only user of the vastdb client."""
