-- Question: Which renders carry several layers, and how many?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH layers AS (
  SELECT
    file_id,
    part_index,
    layer_name,
    COUNT(*) AS channels
  FROM vast."exr-metadata|exr_inspector"."channels"
  GROUP BY
    file_id,
    part_index,
    layer_name
), counted AS (
  SELECT
    file_id,
    COUNT(*) AS layer_count,
    SUM(channels) AS channel_count
  FROM layers
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path) AS sequence_or_file,
  MAX(counted.layer_count) AS layer_count,
  CAST(MAX(counted.channel_count) AS BIGINT) AS channel_count,
  MAX(files.multipart_count) AS part_count,
  COUNT(*) AS file_count
FROM vast."exr-metadata|exr_inspector"."files"
JOIN counted
  ON counted.file_id = files.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND TRUE AND counted.layer_count >= 2
GROUP BY
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path)
ORDER BY
  layer_count DESC,
  channel_count DESC,
  files.show_name,
  files.shot_name,
  sequence_or_file
LIMIT 1000
