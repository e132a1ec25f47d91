-- Question: Which compression is used how much, and what does it save?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH whole AS (
  SELECT
    file_id,
    CASE
      WHEN MIN(compression) = MAX(compression)
      THEN MIN(compression)
      ELSE 'several'
    END AS compression,
    CASE WHEN COUNT(*) = COUNT(logical_bytes) THEN SUM(logical_bytes) ELSE NULL END AS logical_bytes
  FROM vast."exr-metadata|exr_inspector"."parts"
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  whole.compression,
  COUNT(*) AS file_count,
  CAST(SUM(files.size_bytes) AS BIGINT) AS stored_bytes,
  CAST(SUM(whole.logical_bytes) AS BIGINT) AS logical_bytes,
  CAST(SUM(whole.logical_bytes) AS DOUBLE) / NULLIF(
    CAST(SUM(CASE WHEN whole.logical_bytes IS NULL THEN NULL ELSE files.size_bytes END) AS DOUBLE),
    0
  ) AS ratio
FROM vast."exr-metadata|exr_inspector"."files"
JOIN whole
  ON whole.file_id = files.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND TRUE
GROUP BY
  files.show_name,
  whole.compression
ORDER BY
  stored_bytes DESC,
  files.show_name,
  whole.compression
LIMIT 1000
