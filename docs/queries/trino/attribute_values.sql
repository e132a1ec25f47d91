-- Question: Which values does an attribute have, such as camera, artist, software or render time?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  files.show_name,
  files.shot_name,
  attributes.value_text,
  COUNT(*) AS occurrences,
  MIN(attributes.value_float) AS smallest,
  AVG(attributes.value_float) AS average,
  MAX(attributes.value_float) AS largest
FROM vast."exr-metadata|exr_inspector"."attributes"
JOIN vast."exr-metadata|exr_inspector"."files"
  ON files.file_id = attributes.file_id
WHERE
  attributes.attr_name = 'artist'
  AND TRUE
  AND files.is_current
  AND files.deleted_at IS NULL
  AND TRUE
GROUP BY
  files.show_name,
  files.shot_name,
  attributes.value_text
ORDER BY
  files.show_name,
  files.shot_name,
  attributes.value_text
LIMIT 1000
