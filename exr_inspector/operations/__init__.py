"""Work on whole schemas and collections: backfill, migrations, backups, integrity."""
