-- Question: At which frame of a sequence did renderer, channels, windows or compression change?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH runs AS (
  SELECT
    files.show_name,
    files.shot_name,
    files.sequence_key,
    files.channel_count,
    parts.render_software,
    parts.compression,
    parts.part_type,
    parts.data_window,
    parts.display_window,
    MIN(files.frame_number) AS first_frame,
    MAX(files.frame_number) AS last_frame,
    COUNT(*) AS frames
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN vast."exr-metadata|exr_inspector"."parts"
    ON parts.file_id = files.file_id
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND NOT files.sequence_key IS NULL
    AND NOT files.frame_number IS NULL
    AND parts.part_index = 0
    AND TRUE
  GROUP BY
    files.show_name,
    files.shot_name,
    files.sequence_key,
    files.channel_count,
    parts.render_software,
    parts.compression,
    parts.part_type,
    parts.data_window,
    parts.display_window
  HAVING
    COUNT(*) >= 2
), drifting AS (
  SELECT
    sequence_key
  FROM runs
  GROUP BY
    sequence_key
  HAVING
    COUNT(*) > 1
)
SELECT
  runs.show_name,
  runs.shot_name,
  runs.sequence_key,
  runs.first_frame,
  runs.last_frame,
  runs.frames,
  runs.render_software,
  runs.channel_count,
  runs.compression,
  runs.part_type,
  runs.data_window,
  runs.display_window
FROM runs
JOIN drifting
  ON drifting.sequence_key = runs.sequence_key
ORDER BY
  runs.sequence_key,
  runs.first_frame,
  runs.last_frame
LIMIT 1000
