-- Question: How many deep files are there, of which renderer, and how large are they?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH renderers AS (
  SELECT
    file_id,
    MIN(render_software) AS software
  FROM vast."exr-metadata|exr_inspector"."parts"
  WHERE
    is_deep
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  COALESCE(renderers.software, 'unknown') AS software,
  COUNT(*) AS file_count,
  CAST(SUM(files.size_bytes) AS BIGINT) AS total_bytes,
  CAST(AVG(files.size_bytes) AS BIGINT) AS average_bytes,
  MAX(files.size_bytes) AS largest_bytes
FROM vast."exr-metadata|exr_inspector"."files"
LEFT JOIN renderers
  ON renderers.file_id = files.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND files.is_deep AND TRUE
GROUP BY
  files.show_name,
  COALESCE(renderers.software, 'unknown')
ORDER BY
  total_bytes DESC,
  files.show_name,
  software
LIMIT 1000
