-- Question: Which neighbouring frames hold the same picture?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    files.show_name,
    files.shot_name,
    files.sequence_key,
    files.frame_number,
    files.file_path,
    files.chunk_sizes_sha256
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN vast."exr-metadata|exr_inspector"."parts"
    ON parts.file_id = files.file_id
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND NOT files.sequence_key IS NULL
    AND NOT files.frame_number IS NULL
    AND NOT files.chunk_sizes_sha256 IS NULL
    AND parts.part_index = 0
    AND parts.compression <> 'none'
    AND TRUE
)
SELECT
  earlier.show_name,
  earlier.shot_name,
  earlier.sequence_key,
  earlier.frame_number,
  later.frame_number AS same_as_frame,
  later.file_path
FROM present AS earlier
JOIN present AS later
  ON later.sequence_key = earlier.sequence_key
  AND later.frame_number = earlier.frame_number + 1
  AND later.chunk_sizes_sha256 = earlier.chunk_sizes_sha256
ORDER BY
  earlier.sequence_key,
  earlier.frame_number,
  later.file_path
LIMIT 1000
