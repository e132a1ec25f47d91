-- Question: Which frames are there more than once, under different names?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  show_name,
  sequence_name,
  shot_name,
  sequence_key,
  frame_number,
  COUNT(*) AS file_count,
  MIN(file_path) AS one_path,
  MAX(file_path) AS other_path
FROM vast."exr-metadata|exr_inspector"."files"
WHERE
  is_current
  AND deleted_at IS NULL
  AND NOT sequence_key IS NULL
  AND NOT frame_number IS NULL
  AND TRUE
GROUP BY
  show_name,
  sequence_name,
  shot_name,
  sequence_key,
  frame_number
HAVING
  COUNT(*) > 1
ORDER BY
  sequence_key,
  frame_number
LIMIT 1000
