-- Question: At which frame of a sequence did renderer, channels, windows or compression change?
-- Asked by: lighting TDs and render wranglers, after a farm or template update in the middle of a job
-- Note: one row per run of frames that agree; the second row's first_frame is where the change begins. Runs shorter than
--   $least frames count as odd frames, not as drift: see frames_unlike_sequence.
-- $least integer = 2: frames at least on both sides of a change
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
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
        min(files.frame_number) AS first_frame,
        max(files.frame_number) AS last_frame,
        count(*) AS frames
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.sequence_key IS NOT NULL AND files.frame_number IS NOT NULL
        AND parts.part_index = 0 AND ($show IS NULL OR files.show_name = $show)
    GROUP BY
        files.show_name, files.shot_name, files.sequence_key, files.channel_count, parts.render_software, parts.compression,
        parts.part_type, parts.data_window, parts.display_window
    HAVING count(*) >= $least
),
drifting AS (
    SELECT sequence_key
    FROM runs
    GROUP BY sequence_key
    HAVING count(*) > 1
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
JOIN drifting ON drifting.sequence_key = runs.sequence_key
ORDER BY runs.sequence_key, runs.first_frame, runs.last_frame
LIMIT $limit
