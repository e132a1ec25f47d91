"""Work on whole schemas and collections: backfill, migrations, backups, integrity."""

FILES_PER_TRANSACTION = 200
"""Of work that reads or writes whole files' rows: their raw_output is at most 25 MB."""
