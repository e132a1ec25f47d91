"""Connect, and store one inspected file or a batch: the public face of storing. What it names lives in exr_inspector.

    result = persist_to_vast_database(payload)          # settings from the environment
    results = persist_batch(payloads)
    mark_removed("s3://renders/a.exr", removed_at)

A result is a dict: `status` (`stored`, `skipped`, `error`), `file_id`, `inserted`, `superseded`, `inspection_count`,
`is_current`, `attempts`, `requests`, `message`, `error`. What the payload causes is returned with the status `error`; what the
surroundings cause is raised as VASTDatabaseError, so that the platform delivers the event again.

`open_store` gives a Store, one session for all threads of a process, to hand to these functions as `session`. The vectors of a
payload come from `compute_metadata_embedding` (384 float32, unit length) and `compute_channel_fingerprint` (128), its rows from
`payload_to_files_row` and its siblings, without a database.

`inspection_count` counts the transactions that took effect. A delivery that raised after its commit took effect is counted, and
so is its repetition; a lost answer to a commit that another process wrote over before it was read back is counted twice.
"""

from exr_inspector.database.persist import (
    _create_vastdb_session,
    mark_removed,
    open_store,
    persist_batch,
    persist_to_vast_database,
)
from exr_inspector.database.rows import (
    payload_to_attributes_rows,
    payload_to_channels_rows,
    payload_to_files_row,
    payload_to_parts_rows,
    payload_to_pixel_stats_rows,
    payload_to_validation_rows,
)
from exr_inspector.database.session import Store
from exr_inspector.embedding.vectors import (
    DEFAULT_CHANNEL_FINGERPRINT_DIM,
    DEFAULT_METADATA_EMBEDDING_DIM,
    compute_channel_fingerprint,
    compute_metadata_embedding,
)
from exr_inspector.errors import VASTDatabaseError, VectorEmbeddingError

__all__ = [
    "DEFAULT_CHANNEL_FINGERPRINT_DIM",
    "DEFAULT_METADATA_EMBEDDING_DIM",
    "Store",
    "VASTDatabaseError",
    "VectorEmbeddingError",
    "_create_vastdb_session",
    "compute_channel_fingerprint",
    "compute_metadata_embedding",
    "mark_removed",
    "open_store",
    "payload_to_attributes_rows",
    "payload_to_channels_rows",
    "payload_to_files_row",
    "payload_to_parts_rows",
    "payload_to_pixel_stats_rows",
    "payload_to_validation_rows",
    "persist_batch",
    "persist_to_vast_database",
]
