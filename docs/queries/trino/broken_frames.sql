-- Question: Which files are incomplete, truncated or unreadable?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  show_name,
  sequence_name,
  shot_name,
  frame_number,
  status,
  completeness,
  chunks_present,
  chunks_expected,
  bytes_missing,
  error_code,
  file_path
FROM vast."exr-metadata|exr_inspector"."files"
WHERE
  is_current AND deleted_at IS NULL AND status <> 'ok' AND TRUE AND TRUE
ORDER BY
  status,
  file_path
LIMIT 1000
