-- Question: What would be saved by compressing, by half floats where they do, and by less overscan?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    file_id,
    show_name,
    sequence_name,
    shot_name,
    size_bytes
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current AND deleted_at IS NULL AND status = 'ok' AND TRUE
), first_parts AS (
  SELECT
    file_id,
    compression,
    CAST(width AS DOUBLE) * height AS data_area,
    CAST(CASE WHEN display_width < width THEN display_width ELSE width END AS DOUBLE) * CASE WHEN display_height < height THEN display_height ELSE height END AS display_area
  FROM vast."exr-metadata|exr_inspector"."parts"
  WHERE
    part_index = 0 AND width > 0 AND height > 0
), samples AS (
  SELECT
    file_id,
    SUM(
      CAST(CASE WHEN channel_type = 'HALF' THEN 2.0 ELSE 4.0 END AS DOUBLE) / NULLIF((
        x_sampling * y_sampling
      ), 0)
    ) AS bytes_a_pixel,
    SUM(
      CASE
        WHEN channel_type = 'FLOAT' AND aov_role = 'alpha' AND layer_name = ''
        THEN CAST(2.0 AS DOUBLE) / NULLIF((
          x_sampling * y_sampling
        ), 0)
        WHEN channel_type = 'FLOAT'
        AND aov_role IN (
          'beauty',
          'diffuse',
          'specular',
          'transmission',
          'subsurface',
          'emission',
          'volume',
          'shadow',
          'light',
          'albedo',
          'occlusion'
        )
        THEN CAST(2.0 AS DOUBLE) / NULLIF((
          x_sampling * y_sampling
        ), 0)
        ELSE 0.0
      END
    ) AS saved_a_pixel
  FROM vast."exr-metadata|exr_inspector"."channels"
  WHERE
    x_sampling > 0 AND y_sampling > 0
  GROUP BY
    file_id
), ideas AS (
  SELECT
    present.file_id,
    'compress' AS idea,
    present.size_bytes * (
      1 - CAST(0.5 AS DOUBLE)
    ) AS saved
  FROM present
  JOIN first_parts
    ON first_parts.file_id = present.file_id
  WHERE
    first_parts.compression = 'none'
  UNION ALL
  SELECT
    present.file_id,
    'half floats' AS idea,
    CAST(present.size_bytes * samples.saved_a_pixel AS DOUBLE) / NULLIF(samples.bytes_a_pixel, 0) AS saved
  FROM present
  JOIN samples
    ON samples.file_id = present.file_id
  WHERE
    samples.saved_a_pixel > 0
  UNION ALL
  SELECT
    present.file_id,
    'no overscan' AS idea,
    present.size_bytes * (
      1 - CAST(first_parts.display_area AS DOUBLE) / NULLIF(first_parts.data_area, 0)
    ) AS saved
  FROM present
  JOIN first_parts
    ON first_parts.file_id = present.file_id
  WHERE
    first_parts.display_area < first_parts.data_area
)
SELECT
  present.show_name,
  present.sequence_name,
  present.shot_name,
  ideas.idea,
  COUNT(*) AS file_count,
  CAST(SUM(present.size_bytes) AS BIGINT) AS stored_bytes,
  CAST(SUM(ideas.saved) AS BIGINT) AS saved_bytes
FROM ideas
JOIN present
  ON present.file_id = ideas.file_id
GROUP BY
  present.show_name,
  present.sequence_name,
  present.shot_name,
  ideas.idea
ORDER BY
  saved_bytes DESC,
  present.show_name,
  present.sequence_name,
  present.shot_name,
  ideas.idea
LIMIT 1000
