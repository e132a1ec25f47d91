-- Question: Which sequences of frames are set up like no other of their show?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH first_files AS (
  SELECT
    show_name,
    sequence_key,
    embedding_version,
    MIN(file_path) AS file_path
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current
    AND deleted_at IS NULL
    AND status <> 'unreadable'
    AND NOT sequence_key IS NULL
    AND TRUE
  GROUP BY
    show_name,
    sequence_key,
    embedding_version
), heads AS (
  SELECT
    files.file_path,
    files.sequence_key,
    files.shot_name,
    files.show_name,
    files.embedding_version,
    CONCAT(
      CAST(COALESCE(files.channel_count, 0) AS VARCHAR),
      CAST(' ' AS VARCHAR),
      CAST(COALESCE(files.chunks_expected, 0) AS VARCHAR),
      CAST(' ' AS VARCHAR),
      CAST(COALESCE(files.colorspace, '-') AS VARCHAR)
    ) AS facts,
    files.metadata_embedding
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN first_files
    ON first_files.file_path = files.file_path
  WHERE
    files.is_current AND files.deleted_at IS NULL
), ends AS (
  SELECT
    show_name,
    embedding_version,
    MIN(file_path) AS first_path,
    MAX(file_path) AS last_path
  FROM first_files
  GROUP BY
    show_name,
    embedding_version
), placed AS (
  SELECT
    heads.file_path,
    heads.show_name,
    heads.embedding_version,
    heads.facts,
    CAST(SQRT(
      REDUCE(
        ZIP_WITH(
          heads.metadata_embedding,
          one.metadata_embedding,
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
    ) * 50 AS BIGINT) AS one_ring,
    CAST(SQRT(
      REDUCE(
        ZIP_WITH(
          heads.metadata_embedding,
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
    ) * 50 AS BIGINT) AS other_ring
  FROM heads
  JOIN ends
    ON ends.show_name = heads.show_name
    AND ends.embedding_version = heads.embedding_version
  JOIN heads AS one
    ON one.file_path = ends.first_path
  JOIN heads AS other
    ON other.file_path = ends.last_path
), cells AS (
  SELECT
    show_name,
    embedding_version,
    facts,
    one_ring,
    other_ring,
    MIN(file_path) AS first_path,
    MAX(file_path) AS last_path
  FROM placed
  GROUP BY
    show_name,
    embedding_version,
    facts,
    one_ring,
    other_ring
), leading AS (
  SELECT
    first_path AS file_path
  FROM cells
  UNION ALL
  SELECT
    last_path AS file_path
  FROM cells
  WHERE
    last_path <> first_path
), leaders AS (
  SELECT
    heads.show_name,
    heads.embedding_version,
    heads.facts,
    heads.file_path,
    heads.metadata_embedding
  FROM heads
  JOIN leading
    ON leading.file_path = heads.file_path
), familiar AS (
  SELECT
    heads.file_path
  FROM heads
  JOIN leaders
    ON leaders.show_name = heads.show_name
    AND leaders.embedding_version = heads.embedding_version
    AND leaders.facts = heads.facts
  WHERE
    leaders.file_path <> heads.file_path
  GROUP BY
    heads.file_path
  HAVING
    CAST(CAST(MIN(
      SQRT(
        REDUCE(
          ZIP_WITH(
            heads.metadata_embedding,
            leaders.metadata_embedding,
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
      )
    ) AS DOUBLE) * MIN(
      SQRT(
        REDUCE(
          ZIP_WITH(
            heads.metadata_embedding,
            leaders.metadata_embedding,
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
      )
    ) AS DOUBLE) / NULLIF(2, 0) <= CAST(0.1 AS DOUBLE)
), doubtful AS (
  SELECT
    heads.file_path,
    heads.show_name,
    heads.embedding_version,
    heads.metadata_embedding
  FROM heads
  LEFT JOIN familiar
    ON familiar.file_path = heads.file_path
  WHERE
    familiar.file_path IS NULL
), nearest AS (
  SELECT
    doubtful.file_path,
    MIN(
      CAST(SQRT(
        REDUCE(
          ZIP_WITH(
            doubtful.metadata_embedding,
            heads.metadata_embedding,
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
  FROM heads
  JOIN doubtful
    ON doubtful.show_name = heads.show_name
    AND doubtful.embedding_version = heads.embedding_version
  WHERE
    doubtful.file_path <> heads.file_path
  GROUP BY
    doubtful.file_path
)
SELECT
  heads.show_name,
  heads.shot_name,
  heads.sequence_key,
  CAST(nearest.distance * nearest.distance AS DOUBLE) / NULLIF(2, 0) AS nearest,
  heads.file_path
FROM nearest
JOIN heads
  ON heads.file_path = nearest.file_path
WHERE
  CAST(nearest.distance * nearest.distance AS DOUBLE) / NULLIF(2, 0) > CAST(0.1 AS DOUBLE)
ORDER BY
  nearest DESC,
  heads.sequence_key
LIMIT 100
