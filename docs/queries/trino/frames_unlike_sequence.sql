-- Question: Which frames were made unlike the rest of their sequence, and what differs?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    file_id,
    file_path,
    show_name,
    shot_name,
    sequence_key,
    frame_number,
    channel_count,
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
    sequence_key,
    embedding_version,
    MIN(file_path) AS file_path
  FROM present
  GROUP BY
    sequence_key,
    embedding_version
  HAVING
    COUNT(*) >= 3
), heads AS (
  SELECT
    first_files.sequence_key,
    first_files.embedding_version,
    files.metadata_embedding
  FROM first_files
  JOIN vast."exr-metadata|exr_inspector"."files"
    ON files.file_path = first_files.file_path
  WHERE
    files.is_current AND files.deleted_at IS NULL
), uneven AS (
  SELECT
    files.sequence_key
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN heads
    ON heads.sequence_key = files.sequence_key
    AND heads.embedding_version = files.embedding_version
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND files.status <> 'unreadable'
    AND TRUE
  GROUP BY
    files.sequence_key
  HAVING
    CAST(MAX(
      SQRT(
        REDUCE(
          ZIP_WITH(
            files.metadata_embedding,
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
      )
    ) AS DOUBLE) * MAX(
      SQRT(
        REDUCE(
          ZIP_WITH(
            files.metadata_embedding,
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
      )
    ) > CAST(0.01 AS DOUBLE) / NULLIF(2, 0)
), doubtful AS (
  SELECT
    files.file_id,
    files.sequence_key,
    files.frame_number,
    files.embedding_version,
    files.metadata_embedding
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN uneven
    ON uneven.sequence_key = files.sequence_key
  WHERE
    files.is_current AND files.deleted_at IS NULL AND files.status <> 'unreadable'
), extents AS (
  SELECT
    sequence_key,
    MIN(frame_number) AS first_frame,
    CAST(CAST((
      MAX(frame_number) - MIN(frame_number)
    ) AS DOUBLE) / NULLIF(8, 0) AS BIGINT) + 1 AS stride
  FROM doubtful
  GROUP BY
    sequence_key
), sampled AS (
  SELECT
    doubtful.sequence_key,
    doubtful.embedding_version,
    doubtful.metadata_embedding
  FROM doubtful
  JOIN extents
    ON extents.sequence_key = doubtful.sequence_key
  WHERE
    (
      doubtful.frame_number - extents.first_frame
    ) % extents.stride = 0
), spreads AS (
  SELECT
    one.sequence_key,
    CAST(AVG(
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
      )
    ) AS DOUBLE) / NULLIF(2, 0) AS spread
  FROM sampled AS one
  JOIN sampled AS other
    ON other.sequence_key = one.sequence_key
    AND other.embedding_version = one.embedding_version
  GROUP BY
    one.sequence_key
), means AS (
  SELECT
    doubtful.file_id,
    doubtful.sequence_key,
    AVG(
      CAST(SQRT(
        REDUCE(
          ZIP_WITH(
            doubtful.metadata_embedding,
            sampled.metadata_embedding,
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
            doubtful.metadata_embedding,
            sampled.metadata_embedding,
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
    ) AS mean_square
  FROM doubtful
  JOIN sampled
    ON sampled.sequence_key = doubtful.sequence_key
    AND sampled.embedding_version = doubtful.embedding_version
  GROUP BY
    doubtful.file_id,
    doubtful.sequence_key
), distances AS (
  SELECT
    means.file_id,
    means.sequence_key,
    CAST((
      means.mean_square - spreads.spread
    ) AS DOUBLE) / NULLIF(2, 0) AS distance
  FROM means
  JOIN spreads
    ON spreads.sequence_key = means.sequence_key
), averages AS (
  SELECT
    sequence_key,
    AVG(distance) AS average
  FROM distances
  GROUP BY
    sequence_key
), unlike AS (
  SELECT
    distances.file_id,
    distances.sequence_key,
    distances.distance
  FROM distances
  JOIN averages
    ON averages.sequence_key = distances.sequence_key
  WHERE
    distances.distance > CAST(0.01 AS DOUBLE)
    AND distances.distance > CAST(3.0 AS DOUBLE) * averages.average
), facts AS (
  SELECT
    present.file_id,
    present.sequence_key,
    present.channel_count,
    COALESCE(parts.compression, '-') AS compression,
    COALESCE(parts.part_type, '-') AS part_type,
    COALESCE(parts.data_window, '-') AS data_window,
    COALESCE(parts.display_window, '-') AS display_window,
    COALESCE(parts.render_software, '-') AS software,
    COALESCE(parts.color_space, '-') AS color_space
  FROM present
  JOIN (
    SELECT
      sequence_key
    FROM unlike
    GROUP BY
      sequence_key
  ) AS affected
    ON affected.sequence_key = present.sequence_key
  JOIN vast."exr-metadata|exr_inspector"."parts"
    ON parts.file_id = present.file_id
  WHERE
    parts.part_index = 0
), shares AS (
  SELECT
    mine.file_id,
    AVG(CASE WHEN others.channel_count = mine.channel_count THEN 1.0 ELSE 0.0 END) AS channels,
    AVG(CASE WHEN others.compression = mine.compression THEN 1.0 ELSE 0.0 END) AS compression,
    AVG(CASE WHEN others.part_type = mine.part_type THEN 1.0 ELSE 0.0 END) AS part_type,
    AVG(CASE WHEN others.data_window = mine.data_window THEN 1.0 ELSE 0.0 END) AS data_window,
    AVG(CASE WHEN others.display_window = mine.display_window THEN 1.0 ELSE 0.0 END) AS display_window,
    AVG(CASE WHEN others.software = mine.software THEN 1.0 ELSE 0.0 END) AS software,
    AVG(CASE WHEN others.color_space = mine.color_space THEN 1.0 ELSE 0.0 END) AS color_space
  FROM facts AS mine
  JOIN unlike
    ON unlike.file_id = mine.file_id
  JOIN facts AS others
    ON others.sequence_key = mine.sequence_key
  GROUP BY
    mine.file_id
)
SELECT
  present.show_name,
  present.shot_name,
  present.sequence_key,
  present.frame_number,
  unlike.distance,
  CONCAT(
    CAST(CASE WHEN shares.channels < 0.5 THEN 'channels ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.compression < 0.5 THEN 'compression ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.part_type < 0.5 THEN 'type ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.data_window < 0.5 THEN 'data_window ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.display_window < 0.5 THEN 'display_window ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.software < 0.5 THEN 'software ' ELSE '' END AS VARCHAR),
    CAST(CASE WHEN shares.color_space < 0.5 THEN 'color_space ' ELSE '' END AS VARCHAR)
  ) AS differs_in,
  present.file_path
FROM unlike
JOIN present
  ON present.file_id = unlike.file_id
LEFT JOIN shares
  ON shares.file_id = unlike.file_id
ORDER BY
  unlike.distance DESC,
  present.file_path
LIMIT 1000
