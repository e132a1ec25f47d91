-- Question: Which frames are missing within a sequence of frames?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH present AS (
  SELECT
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    frame_number
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    is_current
    AND deleted_at IS NULL
    AND NOT sequence_key IS NULL
    AND NOT frame_number IS NULL
    AND TRUE
    AND TRUE
  GROUP BY
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    frame_number
), last_frames AS (
  SELECT
    sequence_key,
    MAX(frame_number) AS last_frame
  FROM present
  GROUP BY
    sequence_key
), before_gaps AS (
  SELECT
    present.show_name,
    present.sequence_name,
    present.shot_name,
    present.sequence_key,
    present.frame_number
  FROM present
  JOIN last_frames
    ON last_frames.sequence_key = present.sequence_key
  LEFT JOIN present AS following
    ON following.sequence_key = present.sequence_key
    AND following.frame_number = present.frame_number + 1
  WHERE
    following.frame_number IS NULL AND present.frame_number < last_frames.last_frame
)
SELECT
  before_gaps.show_name,
  before_gaps.sequence_name,
  before_gaps.shot_name,
  before_gaps.sequence_key,
  before_gaps.frame_number + 1 AS first_missing,
  MIN(present.frame_number) - 1 AS last_missing,
  CAST(CAST((
    MIN(present.frame_number) - before_gaps.frame_number - 1
  ) AS DOUBLE) / NULLIF(1, 0) AS BIGINT) AS missing_count
FROM before_gaps
JOIN present
  ON present.sequence_key = before_gaps.sequence_key
  AND present.frame_number > before_gaps.frame_number
GROUP BY
  before_gaps.show_name,
  before_gaps.sequence_name,
  before_gaps.shot_name,
  before_gaps.sequence_key,
  before_gaps.frame_number
HAVING
  MIN(present.frame_number) > before_gaps.frame_number + 1
ORDER BY
  before_gaps.sequence_key,
  first_missing
LIMIT 1000
