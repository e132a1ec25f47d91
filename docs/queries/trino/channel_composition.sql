-- Question: Which files have these channels?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH named AS (
  SELECT
    file_id,
    MAX(CASE WHEN channel_name = 'Z' OR layer_name = 'Z' THEN 1 ELSE 0 END) AS has_first,
    MAX(CASE WHEN channel_name = NULL OR layer_name = NULL THEN 1 ELSE 0 END) AS has_second,
    MAX(CASE WHEN channel_name = NULL OR layer_name = NULL THEN 1 ELSE 0 END) AS has_third,
    COUNT(*) AS channels
  FROM vast."exr-metadata|exr_inspector"."channels"
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path) AS sequence_or_file,
  COUNT(*) AS file_count,
  MIN(named.channels) AS fewest_channels,
  MAX(named.channels) AS most_channels
FROM vast."exr-metadata|exr_inspector"."files"
JOIN named
  ON named.file_id = files.file_id
WHERE
  files.is_current
  AND files.deleted_at IS NULL
  AND TRUE
  AND named.has_first = 1
  AND TRUE
  AND TRUE
GROUP BY
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path)
ORDER BY
  files.show_name,
  files.shot_name,
  sequence_or_file
LIMIT 1000
