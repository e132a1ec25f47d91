-- Question: Which frames are missing within a sequence of frames?
-- Group: missing
-- Asked by: render wranglers before a shot goes to comp, editorial before a delivery
-- Nothing: no missing frames
-- Note: a gap lies between two frames that are there. Frames before the first or after the last cannot be known.
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $step integer = 1: frames between neighbours, such as 2 for renders on twos
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT show_name, sequence_name, shot_name, sequence_key, frame_number
    FROM files
    WHERE is_current AND deleted_at IS NULL AND sequence_key IS NOT NULL AND frame_number IS NOT NULL
        AND ($show IS NULL OR show_name = $show) AND ($shot IS NULL OR shot_name = $shot)
    GROUP BY show_name, sequence_name, shot_name, sequence_key, frame_number
),
last_frames AS (
    SELECT sequence_key, max(frame_number) AS last_frame
    FROM present
    GROUP BY sequence_key
),
before_gaps AS (
    SELECT present.show_name, present.sequence_name, present.shot_name, present.sequence_key, present.frame_number
    FROM present
    JOIN last_frames ON last_frames.sequence_key = present.sequence_key
    LEFT JOIN present AS following
        ON following.sequence_key = present.sequence_key AND following.frame_number = present.frame_number + $step
    WHERE following.frame_number IS NULL AND present.frame_number < last_frames.last_frame
)
SELECT
    before_gaps.show_name,
    before_gaps.sequence_name,
    before_gaps.shot_name,
    before_gaps.sequence_key,
    before_gaps.frame_number + $step AS first_missing,
    min(present.frame_number) - $step AS last_missing,
    CAST((min(present.frame_number) - before_gaps.frame_number - 1) / $step AS BIGINT) AS missing_count
FROM before_gaps
JOIN present ON present.sequence_key = before_gaps.sequence_key AND present.frame_number > before_gaps.frame_number
GROUP BY
    before_gaps.show_name, before_gaps.sequence_name, before_gaps.shot_name, before_gaps.sequence_key, before_gaps.frame_number
HAVING min(present.frame_number) > before_gaps.frame_number + $step
ORDER BY before_gaps.sequence_key, first_missing
LIMIT $limit
