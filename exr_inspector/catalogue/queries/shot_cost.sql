-- Question: What does each shot cost in bytes and render hours?
-- Group: cost
-- Asked by: producers and supervisors, and data managers who look for versions that can go
-- Nothing: no files of a shot
-- Note: files, bytes, hours and frames are those on disk; files that belong to no shot are left out. superseded_bytes are of
--   versions that have a later one of the same layer on disk (files.layer_key); files without a version in their path do not
--   count. overwritten_hours went into renders whose path holds another one now, or nothing. Times are those that renderers
--   wrote into timed_files headers: hours are too low where that is less than file_count.
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH costs AS (
    SELECT file_id, max(render_seconds) AS render_seconds
    FROM parts
    WHERE render_seconds IS NOT NULL
    GROUP BY file_id
),
stored AS (
    SELECT
        files.show_name, files.sequence_name, files.shot_name, files.layer_key, files.version_number, files.size_bytes,
        files.file_path, costs.render_seconds,
        CASE WHEN files.is_current AND files.deleted_at IS NULL THEN 1 ELSE 0 END AS on_disk
    FROM files
    LEFT JOIN costs ON costs.file_id = files.file_id
    WHERE files.shot_name IS NOT NULL
        AND ($show IS NULL OR files.show_name = $show) AND ($sequence IS NULL OR files.sequence_name = $sequence)
        AND ($shot IS NULL OR files.shot_name = $shot)
),
latest AS (
    SELECT layer_key, max(version_number) AS version_number
    FROM stored
    WHERE on_disk = 1 AND version_number IS NOT NULL
    GROUP BY layer_key
),
shots AS (
    SELECT
        stored.show_name, stored.sequence_name, stored.shot_name,
        sum(stored.on_disk) AS file_count,
        sum(CASE WHEN stored.on_disk = 1 THEN stored.size_bytes END) AS total_bytes,
        sum(CASE WHEN stored.on_disk = 1 THEN stored.render_seconds END) AS seconds,
        sum(CASE WHEN stored.on_disk = 1 AND stored.render_seconds IS NOT NULL THEN 1 ELSE 0 END) AS timed_files,
        max(CASE WHEN stored.on_disk = 1 THEN stored.render_seconds END) AS worst_seconds,
        sum(CASE WHEN stored.on_disk = 0 THEN stored.render_seconds END) AS overwritten_seconds,
        sum(CASE
            WHEN stored.on_disk = 1 AND stored.version_number < latest.version_number THEN stored.size_bytes
            WHEN stored.on_disk = 1 AND stored.version_number = latest.version_number THEN 0
        END) AS superseded_bytes
    FROM stored
    LEFT JOIN latest ON latest.layer_key = stored.layer_key
    GROUP BY stored.show_name, stored.sequence_name, stored.shot_name
    HAVING sum(stored.on_disk) > 0
),
worst AS (
    SELECT stored.show_name, stored.sequence_name, stored.shot_name, min(stored.file_path) AS worst_path
    FROM stored
    JOIN shots
        ON shots.shot_name = stored.shot_name AND coalesce(shots.sequence_name, '') = coalesce(stored.sequence_name, '')
        AND coalesce(shots.show_name, '') = coalesce(stored.show_name, '') AND shots.worst_seconds = stored.render_seconds
    WHERE stored.on_disk = 1
    GROUP BY stored.show_name, stored.sequence_name, stored.shot_name
)
SELECT
    shots.show_name,
    shots.sequence_name,
    shots.shot_name,
    CAST(shots.file_count AS BIGINT) AS file_count,
    CAST(shots.total_bytes AS BIGINT) AS total_bytes,
    CAST(shots.superseded_bytes AS BIGINT) AS superseded_bytes,
    shots.seconds / 3600 AS render_hours,
    shots.overwritten_seconds / 3600 AS overwritten_hours,
    CAST(shots.timed_files AS BIGINT) AS timed_files,
    CASE WHEN shots.timed_files > 0 THEN shots.seconds / shots.timed_files END AS seconds_a_frame,
    shots.worst_seconds,
    worst.worst_path
FROM shots
LEFT JOIN worst
    ON worst.shot_name = shots.shot_name AND coalesce(worst.sequence_name, '') = coalesce(shots.sequence_name, '')
    AND coalesce(worst.show_name, '') = coalesce(shots.show_name, '')
ORDER BY total_bytes DESC, shots.show_name, shots.sequence_name, shots.shot_name
LIMIT $limit
