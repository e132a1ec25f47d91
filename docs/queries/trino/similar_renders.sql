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
), present AS (
  SELECT
    file_id,
    file_path,
    show_name,
    shot_name,
    sequence_key,
    frame_number,
    metadata_embedding,
    embedding_version
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current AND deleted_at IS NULL AND status <> 'unreadable' AND TRUE
), first_frames AS (
  SELECT
    sequence_key,
    MIN(frame_number) AS frame_number
  FROM present
  WHERE
    NOT sequence_key IS NULL
  GROUP BY
    sequence_key
)
SELECT
  present.file_id,
  present.file_path,
  present.show_name,
  present.shot_name,
  CAST(CAST(SQRT(
    REDUCE(
      ZIP_WITH(
        present.metadata_embedding,
        reference.metadata_embedding,
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
  ) * SQRT(
    REDUCE(
      ZIP_WITH(
        present.metadata_embedding,
        reference.metadata_embedding,
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
  ) AS DOUBLE) / NULLIF(2, 0) AS DOUBLE) AS distance
FROM present
JOIN reference
  ON reference.embedding_version = present.embedding_version
LEFT JOIN first_frames
  ON first_frames.sequence_key = present.sequence_key
WHERE
  present.file_id <> reference.file_id
  AND (
    reference.sequence_key IS NULL
    OR present.sequence_key IS NULL
    OR present.sequence_key <> reference.sequence_key
  )
  AND (
    present.sequence_key IS NULL OR present.frame_number = first_frames.frame_number
  )
ORDER BY
  distance,
  present.file_path
LIMIT 10
