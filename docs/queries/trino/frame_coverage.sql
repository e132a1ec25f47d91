-- Question: Which frames of which sequence are there, and how complete is it?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH frames AS (
  SELECT
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    frame_number,
    COUNT(*) AS copies,
    MAX(CASE WHEN status = 'ok' THEN 0 ELSE 1 END) AS is_broken
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current
    AND deleted_at IS NULL
    AND NOT sequence_key IS NULL
    AND NOT frame_number IS NULL
    AND TRUE
    AND TRUE
  GROUP BY
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    frame_number
)
SELECT
  show_name,
  sequence_name,
  shot_name,
  sequence_key,
  MIN(frame_number) AS first_frame,
  MAX(frame_number) AS last_frame,
  COUNT(*) AS frames_present,
  MAX(frame_number) - MIN(frame_number) + 1 - COUNT(*) AS frames_missing,
  CAST(SUM(copies) - COUNT(*) AS BIGINT) AS duplicates,
  CAST(SUM(is_broken) AS BIGINT) AS frames_broken
FROM frames
GROUP BY
  show_name,
  sequence_name,
  shot_name,
  sequence_key
HAVING
  0 = 0
  OR MAX(frame_number) - MIN(frame_number) + 1 > COUNT(*)
  OR SUM(copies) > COUNT(*)
  OR SUM(is_broken) > 0
ORDER BY
  show_name,
  sequence_name,
  shot_name,
  sequence_key
LIMIT 10000
