-- Question: Which frames are much larger than the others of their sequence?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    file_path,
    show_name,
    shot_name,
    sequence_key,
    frame_number,
    size_bytes
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current AND deleted_at IS NULL AND NOT sequence_key IS NULL AND TRUE
), sequences AS (
  SELECT
    sequence_key,
    COUNT(*) AS frames,
    SUM(size_bytes) AS total_bytes
  FROM present
  GROUP BY
    sequence_key
  HAVING
    COUNT(*) >= 3
)
SELECT
  present.show_name,
  present.shot_name,
  present.sequence_key,
  present.frame_number,
  present.size_bytes,
  CAST(CAST((
    sequences.total_bytes - present.size_bytes
  ) AS DOUBLE) / NULLIF((
    sequences.frames - 1
  ), 0) AS BIGINT) AS usual_bytes,
  CAST(CAST(present.size_bytes AS DOUBLE) * (
    sequences.frames - 1
  ) AS DOUBLE) / NULLIF((
    sequences.total_bytes - present.size_bytes
  ), 0) AS times_usual,
  present.file_path
FROM present
JOIN sequences
  ON sequences.sequence_key = present.sequence_key
WHERE
  present.size_bytes * (
    sequences.frames - 1
  ) > CAST(3.0 AS DOUBLE) * (
    sequences.total_bytes - present.size_bytes
  )
ORDER BY
  times_usual DESC,
  present.file_path
LIMIT 1000
