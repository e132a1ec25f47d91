-- Question: Which sequences of frames are set up like no other of their show?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    file_path,
    show_name,
    shot_name,
    sequence_key,
    embedding_version,
    metadata_embedding
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current
    AND deleted_at IS NULL
    AND status <> 'unreadable'
    AND NOT sequence_key IS NULL
    AND TRUE
), first_files AS (
  SELECT
    show_name,
    sequence_key,
    embedding_version,
    MIN(file_path) AS file_path
  FROM present
  GROUP BY
    show_name,
    sequence_key,
    embedding_version
), pairs AS (
  SELECT
    one.file_path AS one_path,
    other.file_path AS other_path
  FROM first_files AS one
  JOIN first_files AS other
    ON other.show_name = one.show_name
    AND other.embedding_version = one.embedding_version
  WHERE
    other.sequence_key <> one.sequence_key
  GROUP BY
    one.file_path,
    other.file_path
), nearest AS (
  SELECT
    pairs.one_path,
    MIN(
      CAST(SQRT(
        REDUCE(
          ZIP_WITH(
            one.metadata_embedding,
            other.metadata_embedding,
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
      ) AS DOUBLE)
    ) AS distance
  FROM pairs
  JOIN present AS one
    ON one.file_path = pairs.one_path
  JOIN present AS other
    ON other.file_path = pairs.other_path
  GROUP BY
    pairs.one_path
)
SELECT
  present.show_name,
  present.shot_name,
  present.sequence_key,
  CAST(nearest.distance * nearest.distance AS DOUBLE) / NULLIF(2, 0) AS nearest,
  present.file_path
FROM nearest
JOIN present
  ON present.file_path = nearest.one_path
WHERE
  CAST(nearest.distance * nearest.distance AS DOUBLE) / NULLIF(2, 0) > CAST(0.1 AS DOUBLE)
ORDER BY
  nearest DESC,
  present.sequence_key
LIMIT 100
