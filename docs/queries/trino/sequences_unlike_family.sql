-- Question: Which sequences of frames are set up like no other of their show?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    file_path,
    show_name,
    shot_name,
    sequence_key,
    embedding_version
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
), heads AS (
  SELECT
    files.file_path,
    files.metadata_embedding
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN first_files
    ON first_files.file_path = files.file_path
  WHERE
    files.is_current AND files.deleted_at IS NULL
), anchors AS (
  SELECT
    show_name,
    embedding_version,
    MIN(file_path) AS file_path
  FROM first_files
  GROUP BY
    show_name,
    embedding_version
), placed AS (
  SELECT
    first_files.show_name,
    first_files.embedding_version,
    first_files.file_path,
    CAST(SQRT(
      REDUCE(
        ZIP_WITH(
          mine.metadata_embedding,
          anchor.metadata_embedding,
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
    ) * 100 AS BIGINT) AS ring
  FROM first_files
  JOIN anchors
    ON anchors.show_name = first_files.show_name
    AND anchors.embedding_version = first_files.embedding_version
  JOIN heads AS mine
    ON mine.file_path = first_files.file_path
  JOIN heads AS anchor
    ON anchor.file_path = anchors.file_path
), rings AS (
  SELECT
    show_name,
    embedding_version,
    ring,
    MIN(file_path) AS one_path,
    MAX(file_path) AS other_path
  FROM placed
  GROUP BY
    show_name,
    embedding_version,
    ring
), beside AS (
  SELECT
    placed.file_path,
    CASE
      WHEN rings.one_path = placed.file_path
      THEN rings.other_path
      ELSE rings.one_path
    END AS beside_path
  FROM placed
  JOIN rings
    ON rings.show_name = placed.show_name
    AND rings.embedding_version = placed.embedding_version
    AND rings.ring = placed.ring
), familiar AS (
  SELECT
    beside.file_path
  FROM beside
  JOIN heads AS one
    ON one.file_path = beside.file_path
  JOIN heads AS other
    ON other.file_path = beside.beside_path
  WHERE
    beside.beside_path <> beside.file_path
    AND CAST(CAST(SQRT(
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
    ) AS DOUBLE) * SQRT(
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
    ) AS DOUBLE) / NULLIF(2, 0) <= CAST(0.1 AS DOUBLE)
  GROUP BY
    beside.file_path
), pairs AS (
  SELECT
    placed.file_path AS one_path,
    others.file_path AS other_path
  FROM placed
  LEFT JOIN familiar
    ON familiar.file_path = placed.file_path
  JOIN placed AS others
    ON others.show_name = placed.show_name
    AND others.embedding_version = placed.embedding_version
  WHERE
    familiar.file_path IS NULL AND others.file_path <> placed.file_path
  GROUP BY
    placed.file_path,
    others.file_path
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
  JOIN heads AS one
    ON one.file_path = pairs.one_path
  JOIN heads AS other
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
