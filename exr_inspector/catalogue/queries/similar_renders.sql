-- Question: Which renders were made like this one?
-- Group: similar
-- Asked by: lighting and compositing TDs who look for a setup to reuse, or for what else a bad setup went into
-- Nothing: no similar renders
-- Note: cosine distance of metadata_embedding; 0 is made alike, below about 0.05 is the same setup. One frame stands for
--   its sequence: the one whose path sorts first.
-- $file_id text: the reference, as files.file_id
-- $show text = null: only this show; null asks all
-- $limit integer = 10: answers at most
WITH reference AS (
    SELECT file_id, sequence_key, metadata_embedding, embedding_version
    FROM files
    WHERE file_id = $file_id
),
first_frames AS (
    SELECT sequence_key, min(file_path) AS file_path
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND sequence_key IS NOT NULL
        AND ($show IS NULL OR show_name = $show)
    GROUP BY sequence_key
),
distances AS (
    SELECT
        files.file_id,
        files.embedding_version,
        CAST(array_distance(files.metadata_embedding, (SELECT metadata_embedding FROM reference)) AS DOUBLE) AS distance
    FROM files
    WHERE files.is_current AND files.deleted_at IS NULL AND files.status <> 'unreadable'
        AND ($show IS NULL OR files.show_name = $show)
)
SELECT
    files.file_id,
    files.file_path,
    files.show_name,
    files.shot_name,
    distances.distance * distances.distance / 2 AS distance
FROM distances
JOIN reference ON reference.embedding_version = distances.embedding_version
JOIN files ON files.file_id = distances.file_id
LEFT JOIN first_frames ON first_frames.file_path = files.file_path
WHERE files.is_current AND (files.sequence_key IS NULL OR first_frames.file_path IS NOT NULL)
    AND files.file_id <> reference.file_id
    AND (reference.sequence_key IS NULL OR files.sequence_key IS NULL OR files.sequence_key <> reference.sequence_key)
ORDER BY distance, files.file_path
LIMIT $limit
