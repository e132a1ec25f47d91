-- Question: Which renders were made like this one?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH reference AS (
  SELECT
    file_id,
    sequence_key,
    metadata_embedding,
    embedding_version
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    file_id = '<file_id>'
), first_frames AS (
  SELECT
    sequence_key,
    MIN(file_path) AS file_path
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current
    AND deleted_at IS NULL
    AND status <> 'unreadable'
    AND NOT sequence_key IS NULL
    AND TRUE
  GROUP BY
    sequence_key
), distances AS (
  SELECT
    files.file_id,
    files.embedding_version,
    CAST(SQRT(
      REDUCE(
        ZIP_WITH(
          files.metadata_embedding,
          (
            SELECT
              metadata_embedding
            FROM reference
          ),
          (x, y) -> (
            x - y
          ) * (
            x - y
          )
        ),
        CAST(0 AS DOUBLE),
        (s, x) -> s + x,
        s -> s
      )
    ) AS DOUBLE) AS distance
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND files.status <> 'unreadable'
    AND TRUE
)
SELECT
  files.file_id,
  files.file_path,
  files.show_name,
  files.shot_name,
  CAST(distances.distance * distances.distance AS DOUBLE) / NULLIF(2, 0) AS distance
FROM distances
JOIN reference
  ON reference.embedding_version = distances.embedding_version
JOIN vast."exr-metadata|exr_inspector"."files"
  ON files.file_id = distances.file_id
LEFT JOIN first_frames
  ON first_frames.file_path = files.file_path
WHERE
  files.is_current
  AND (
    files.sequence_key IS NULL OR NOT first_frames.file_path IS NULL
  )
  AND files.file_id <> reference.file_id
  AND (
    reference.sequence_key IS NULL
    OR files.sequence_key IS NULL
    OR files.sequence_key <> reference.sequence_key
  )
ORDER BY
  distance,
  files.file_path
LIMIT 10
