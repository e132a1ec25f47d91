-- Question: Which machines render slower than others do in the same shot?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH timed AS (
  SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    files.sequence_key,
    parts.host,
    parts.render_seconds
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN vast."exr-metadata|exr_inspector"."parts"
    ON parts.file_id = files.file_id
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND NOT files.sequence_key IS NULL
    AND parts.part_index = 0
    AND NOT parts.host IS NULL
    AND parts.render_seconds > 0
    AND TRUE
), by_host AS (
  SELECT
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    host,
    COUNT(*) AS frames,
    SUM(render_seconds) AS seconds
  FROM timed
  GROUP BY
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    host
), by_sequence AS (
  SELECT
    sequence_key,
    SUM(frames) AS frames,
    SUM(seconds) AS seconds
  FROM by_host
  GROUP BY
    sequence_key
), compared AS (
  SELECT
    by_host.show_name,
    by_host.sequence_name,
    by_host.shot_name,
    by_host.host,
    by_host.frames,
    by_host.seconds,
    CAST(by_host.frames * (
      by_sequence.seconds - by_host.seconds
    ) AS DOUBLE) / NULLIF((
      by_sequence.frames - by_host.frames
    ), 0) AS usual_seconds
  FROM by_host
  JOIN by_sequence
    ON by_sequence.sequence_key = by_host.sequence_key
  WHERE
    by_sequence.frames > by_host.frames
)
SELECT
  show_name,
  sequence_name,
  shot_name,
  host,
  CAST(SUM(frames) AS BIGINT) AS frame_count,
  CAST(SUM(seconds) AS DOUBLE) / NULLIF(SUM(frames), 0) AS seconds_a_frame,
  CAST(SUM(usual_seconds) AS DOUBLE) / NULLIF(SUM(frames), 0) AS usual_seconds,
  CAST(SUM(seconds) AS DOUBLE) / NULLIF(SUM(usual_seconds), 0) AS times_usual
FROM compared
GROUP BY
  show_name,
  sequence_name,
  shot_name,
  host
HAVING
  SUM(frames) >= 3 AND SUM(seconds) > CAST(1.5 AS DOUBLE) * SUM(usual_seconds)
ORDER BY
  times_usual DESC,
  show_name,
  sequence_name,
  shot_name,
  host
LIMIT 1000
