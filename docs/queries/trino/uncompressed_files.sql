-- Question: Which sequences and files are stored uncompressed?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH uncompressed AS (
  SELECT
    file_id
  FROM vast."exr-metadata|exr_inspector"."parts"
  WHERE
    compression = 'none'
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path) AS sequence_or_file,
  COUNT(*) AS file_count,
  CAST(SUM(files.size_bytes) AS BIGINT) AS total_bytes
FROM vast."exr-metadata|exr_inspector"."files"
JOIN uncompressed
  ON uncompressed.file_id = files.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND TRUE
GROUP BY
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path)
ORDER BY
  total_bytes DESC,
  sequence_or_file
LIMIT 1000
