-- Question: Which renders were made like this one?
-- Asked by: lighting and compositing TDs who look for a setup to reuse, or for what else a bad setup went into
-- Note: cosine distance of metadata_embedding; 0 is made alike, below about 0.09 is the same setup. One frame stands for
--   its sequence: the one with the lowest number.
-- $file_id text: the reference, as files.file_id
-- $show text = null: only this show; null asks all
-- $limit integer = 10: answers at most
WITH reference AS (
    SELECT file_id, sequence_key, metadata_embedding, embedding_version
    FROM files
    WHERE file_id = $file_id
),
present AS (
    SELECT file_id, file_path, show_name, shot_name, sequence_key, frame_number, metadata_embedding, embedding_version
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND ($show IS NULL OR show_name = $show)
),
first_frames AS (
    SELECT sequence_key, min(frame_number) AS frame_number
    FROM present
    WHERE sequence_key IS NOT NULL
    GROUP BY sequence_key
)
SELECT
    present.file_id,
    present.file_path,
    present.show_name,
    present.shot_name,
    CAST(array_distance(present.metadata_embedding, reference.metadata_embedding)
        * array_distance(present.metadata_embedding, reference.metadata_embedding) / 2 AS DOUBLE) AS distance
FROM present
JOIN reference ON reference.embedding_version = present.embedding_version
LEFT JOIN first_frames ON first_frames.sequence_key = present.sequence_key
WHERE present.file_id <> reference.file_id
    AND (reference.sequence_key IS NULL OR present.sequence_key IS NULL OR present.sequence_key <> reference.sequence_key)
    AND (present.sequence_key IS NULL OR present.frame_number = first_frames.frame_number)
ORDER BY distance, present.file_path
LIMIT $limit
