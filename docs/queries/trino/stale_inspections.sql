-- Question: Which shots were not inspected for long?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  show_name,
  sequence_name,
  shot_name,
  COUNT(*) AS file_count,
  MIN(last_inspected) AS oldest_inspection,
  CAST(SUM(size_bytes) AS BIGINT) AS total_bytes
FROM vast."exr-metadata|exr_inspector"."files"
WHERE
  is_current
  AND deleted_at IS NULL
  AND last_inspected < CAST(AT_TIMEZONE(CURRENT_TIMESTAMP, 'UTC') AS TIMESTAMP) - INTERVAL '30' DAY
  AND TRUE
GROUP BY
  show_name,
  sequence_name,
  shot_name
ORDER BY
  oldest_inspection,
  show_name,
  sequence_name,
  shot_name
LIMIT 1000
