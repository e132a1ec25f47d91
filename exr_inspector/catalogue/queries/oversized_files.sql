-- Question: Which frames are much larger than their sequence?
-- Group: cost
-- Asked by: data managers and render wranglers; a sudden size is a wrong setting or a fault
-- Nothing: no frame much larger than its sequence
-- $factor number = 3: times the average size of the other frames
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT file_path, show_name, shot_name, sequence_key, frame_number, size_bytes
    FROM files
    WHERE is_current AND deleted_at IS NULL AND sequence_key IS NOT NULL AND ($show IS NULL OR show_name = $show)
),
sequences AS (
    SELECT sequence_key, count(*) AS frames, sum(size_bytes) AS total_bytes
    FROM present
    GROUP BY sequence_key
    HAVING count(*) >= 3
)
SELECT
    present.show_name,
    present.shot_name,
    present.sequence_key,
    present.frame_number,
    present.size_bytes,
    CAST((sequences.total_bytes - present.size_bytes) / (sequences.frames - 1) AS BIGINT) AS usual_bytes,
    CAST(present.size_bytes AS DOUBLE) * (sequences.frames - 1) / (sequences.total_bytes - present.size_bytes) AS times_usual,
    present.file_path
FROM present
JOIN sequences ON sequences.sequence_key = present.sequence_key
WHERE present.size_bytes * (sequences.frames - 1) > $factor * (sequences.total_bytes - present.size_bytes)
ORDER BY times_usual DESC, present.file_path
LIMIT $limit
