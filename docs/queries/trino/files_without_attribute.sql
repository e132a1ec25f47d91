-- Question: Which sequences lack an attribute that they should have?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH named AS (
  SELECT
    file_id
  FROM vast."exr-metadata|exr_inspector"."attributes"
  WHERE
    attr_name = 'artist'
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path) AS sequence_or_file,
  COUNT(*) AS file_count,
  COUNT(*) - COUNT(named.file_id) AS without_attribute
FROM vast."exr-metadata|exr_inspector"."files"
LEFT JOIN named
  ON named.file_id = files.file_id
WHERE
  files.is_current
  AND files.deleted_at IS NULL
  AND files.status <> 'unreadable'
  AND TRUE
GROUP BY
  files.show_name,
  files.shot_name,
  COALESCE(files.sequence_key, files.file_path)
HAVING
  COUNT(*) > COUNT(named.file_id)
ORDER BY
  files.show_name,
  files.shot_name,
  sequence_or_file
LIMIT 1000
