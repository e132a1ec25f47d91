-- Question: At which frame did the setup of a sequence change?
-- Group: broken
-- Asked by: lighting TDs and render wranglers, after a farm or template update in the middle of a job
-- Nothing: no drift within a sequence
-- Note: the setup is renderer, channels, windows and compression. One row per run of frames that agree; the second row's
--   first_frame is where the change begins. Runs shorter than $least frames count as odd frames, not as drift: see
--   frames_unlike_sequence. channel_distance is the cosine distance of channel_fingerprint from the sequence's first file: above
--   0, channels have other names or types than there.
-- $least integer = 2: frames at least on both sides of a change
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH first_files AS (
    SELECT sequence_key, embedding_version, min(file_path) AS file_path
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND sequence_key IS NOT NULL
        AND ($show IS NULL OR show_name = $show)
    GROUP BY sequence_key, embedding_version
),
heads AS (
    SELECT first_files.sequence_key, first_files.embedding_version, files.channel_fingerprint
    FROM first_files
    JOIN files ON files.file_path = first_files.file_path
    WHERE files.is_current AND files.deleted_at IS NULL
),
framed AS (
    SELECT
        files.file_id,
        files.show_name,
        files.shot_name,
        files.sequence_key,
        files.frame_number,
        files.channel_count,
        coalesce(array_distance(files.channel_fingerprint, heads.channel_fingerprint), 0) AS channel_distance
    FROM files
    JOIN heads ON heads.sequence_key = files.sequence_key AND heads.embedding_version = files.embedding_version
    WHERE files.is_current AND files.deleted_at IS NULL AND files.sequence_key IS NOT NULL AND files.frame_number IS NOT NULL
        AND ($show IS NULL OR files.show_name = $show)
),
runs AS (
    SELECT
        framed.show_name,
        framed.shot_name,
        framed.sequence_key,
        framed.channel_count,
        framed.channel_distance,
        coalesce(parts.render_product || coalesce(' ' || parts.render_software_version, ''), parts.render_software)
            AS renderer,
        parts.compression,
        parts.part_type,
        parts.data_window,
        parts.display_window,
        min(framed.frame_number) AS first_frame,
        max(framed.frame_number) AS last_frame,
        count(*) AS frames
    FROM framed
    JOIN parts ON parts.file_id = framed.file_id
    WHERE parts.part_index = 0
    GROUP BY
        framed.show_name, framed.shot_name, framed.sequence_key, framed.channel_count, framed.channel_distance,
        coalesce(parts.render_product || coalesce(' ' || parts.render_software_version, ''), parts.render_software),
        parts.compression, parts.part_type, parts.data_window, parts.display_window
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
    runs.renderer,
    runs.channel_count,
    CAST(runs.channel_distance AS DOUBLE) * runs.channel_distance / 2 AS channel_distance,
    runs.compression,
    runs.part_type,
    runs.data_window,
    runs.display_window
FROM runs
JOIN drifting ON drifting.sequence_key = runs.sequence_key
ORDER BY runs.sequence_key, runs.first_frame, runs.last_frame
LIMIT $limit
