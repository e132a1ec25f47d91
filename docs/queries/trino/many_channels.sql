-- Question: Which files have too many channels?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  show_name,
  shot_name,
  frame_number,
  channel_count,
  multipart_count,
  size_bytes,
  file_path
FROM vast."exr-metadata|exr_inspector"."files"
WHERE
  is_current AND deleted_at IS NULL AND channel_count >= 200 AND TRUE
ORDER BY
  channel_count DESC,
  file_path
LIMIT 1000
