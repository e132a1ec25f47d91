-- Question: How complete is each sequence of frames?
-- Group: missing
-- Asked by: coordinators and render wranglers, per show, sequence and shot
-- Nothing: no sequences of frames
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $only_gaps integer = 0: 1 lists only sequences with missing, duplicate or broken frames
-- $limit integer = 10000: rows at most
WITH frames AS (
    SELECT
        show_name, sequence_name, shot_name, sequence_key, frame_number,
        count(*) AS copies,
        max(CASE WHEN status = 'ok' THEN 0 ELSE 1 END) AS is_broken
    FROM files
    WHERE is_current AND deleted_at IS NULL AND sequence_key IS NOT NULL AND frame_number IS NOT NULL
        AND ($show IS NULL OR show_name = $show) AND ($shot IS NULL OR shot_name = $shot)
    GROUP BY show_name, sequence_name, shot_name, sequence_key, frame_number
)
SELECT
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    min(frame_number) AS first_frame,
    max(frame_number) AS last_frame,
    count(*) AS frames_present,
    max(frame_number) - min(frame_number) + 1 - count(*) AS frames_missing,
    CAST(sum(copies) - count(*) AS BIGINT) AS duplicates,
    CAST(sum(is_broken) AS BIGINT) AS frames_broken
FROM frames
GROUP BY show_name, sequence_name, shot_name, sequence_key
HAVING $only_gaps = 0
    OR max(frame_number) - min(frame_number) + 1 > count(*) OR sum(copies) > count(*) OR sum(is_broken) > 0
ORDER BY show_name, sequence_name, shot_name, sequence_key
LIMIT $limit
