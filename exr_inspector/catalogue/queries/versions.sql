-- Question: Which versions of each layer are there, what changed?
-- Group: versions
-- Asked by: compositors before they update a read node, lighters and coordinators who compare what was published
-- Nothing: no files with a version in their path
-- Note: the layer that was written last comes first. A layer is what stands in one path but for version and frame
--   (files.layer_key); files without a version in their path are left out. changed compares with the version before that is on
--   disk, by the first file of each: channels (with a plus those that are new, with a minus those that are gone), resolution,
--   compression, renderer; and the first and last frames. What is unknown of either version is not a change. render_hours are
--   those that renderers wrote into the headers.
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT
        file_id, file_path, show_name, sequence_name, shot_name, layer_name, layer_key, version_number, version_token,
        frame_number, channel_count, size_bytes, mtime, status
    FROM files
    WHERE is_current AND deleted_at IS NULL AND layer_key IS NOT NULL AND version_number IS NOT NULL
        AND ($show IS NULL OR show_name = $show) AND ($sequence IS NULL OR sequence_name = $sequence)
        AND ($shot IS NULL OR shot_name = $shot)
),
costs AS (
    SELECT file_id, max(render_seconds) AS render_seconds
    FROM parts
    GROUP BY file_id
),
versions AS (
    SELECT
        present.layer_key,
        present.version_number,
        min(present.show_name) AS show_name,
        min(present.sequence_name) AS sequence_name,
        min(present.shot_name) AS shot_name,
        min(present.layer_name) AS layer_name,
        min(present.version_token) AS version,
        count(*) AS frame_count,
        min(present.frame_number) AS first_frame,
        max(present.frame_number) AS last_frame,
        max(present.channel_count) AS channel_count,
        sum(present.size_bytes) AS total_bytes,
        sum(costs.render_seconds) / 3600 AS render_hours,
        max(CASE present.status WHEN 'ok' THEN 0 WHEN 'incomplete' THEN 1 WHEN 'damaged' THEN 2 ELSE 3 END) AS worst,
        max(present.mtime) AS last_written,
        min(CASE WHEN present.status <> 'unreadable' THEN present.file_path ELSE NULL END) AS first_path
    FROM present
    LEFT JOIN costs ON costs.file_id = present.file_id
    GROUP BY present.layer_key, present.version_number
),
layers AS (
    SELECT layer_key, max(last_written) AS last_written
    FROM versions
    GROUP BY layer_key
),
updates AS (
    SELECT later.layer_key, later.version_number, max(earlier.version_number) AS number_before
    FROM versions AS later
    JOIN versions AS earlier ON earlier.layer_key = later.layer_key AND earlier.version_number < later.version_number
    GROUP BY later.layer_key, later.version_number
),
updated AS (
    SELECT layer_key
    FROM updates
    GROUP BY layer_key
),
heads AS (
    SELECT versions.layer_key, versions.version_number, versions.first_frame, versions.last_frame, present.file_id
    FROM versions
    JOIN updated ON updated.layer_key = versions.layer_key
    JOIN present ON present.file_path = versions.first_path
),
setups AS (
    SELECT
        heads.layer_key, heads.version_number,
        CAST(heads.first_frame AS VARCHAR)
            || CASE WHEN heads.last_frame > heads.first_frame THEN '-' || CAST(heads.last_frame AS VARCHAR) ELSE '' END AS frames,
        CAST(parts.display_width AS VARCHAR) || 'x' || CAST(parts.display_height AS VARCHAR) AS resolution,
        parts.compression,
        coalesce(parts.render_product || coalesce(' ' || parts.render_software_version, ''), parts.render_software)
            AS renderer
    FROM heads
    JOIN parts ON parts.file_id = heads.file_id
    WHERE parts.part_index = 0
),
named AS (
    SELECT heads.layer_key, heads.version_number, channels.channel_name
    FROM channels
    JOIN heads ON heads.file_id = channels.file_id
    WHERE channels.file_id IN (SELECT file_id FROM heads)
    GROUP BY heads.layer_key, heads.version_number, channels.channel_name
),
differing AS (
    SELECT updates.layer_key, updates.version_number, '+' || named.channel_name AS name
    FROM updates
    JOIN named ON named.layer_key = updates.layer_key AND named.version_number = updates.version_number
    LEFT JOIN named AS other
        ON other.layer_key = updates.layer_key AND other.version_number = updates.number_before
        AND other.channel_name = named.channel_name
    WHERE other.channel_name IS NULL
    UNION ALL
    SELECT updates.layer_key, updates.version_number, '-' || named.channel_name AS name
    FROM updates
    JOIN named ON named.layer_key = updates.layer_key AND named.version_number = updates.number_before
    LEFT JOIN named AS other
        ON other.layer_key = updates.layer_key AND other.version_number = updates.version_number
        AND other.channel_name = named.channel_name
    WHERE other.channel_name IS NULL
),
channel_changes AS (
    SELECT
        layer_key, version_number,
        'channels (' || CASE count(*)
            WHEN 1 THEN min(name)
            WHEN 2 THEN min(name) || ', ' || max(name)
            ELSE min(name) || ', ' || max(name) || ' and ' || CAST(count(*) - 2 AS VARCHAR) || ' more'
        END || ')' AS words
    FROM differing
    GROUP BY layer_key, version_number
),
changes AS (
    SELECT
        updates.layer_key,
        updates.version_number,
        channel_changes.words AS channels,
        CASE WHEN setups.resolution <> earlier.resolution
            THEN 'resolution ' || earlier.resolution || ' to ' || setups.resolution END AS resolution,
        CASE WHEN setups.compression <> earlier.compression
            THEN 'compression ' || earlier.compression || ' to ' || setups.compression END AS compression,
        CASE WHEN setups.renderer <> earlier.renderer
            THEN 'renderer ' || earlier.renderer || ' to ' || setups.renderer END AS renderer,
        CASE WHEN setups.frames <> earlier.frames
            THEN 'frames ' || earlier.frames || ' to ' || setups.frames END AS frames
    FROM updates
    JOIN setups ON setups.layer_key = updates.layer_key AND setups.version_number = updates.version_number
    JOIN setups AS earlier
        ON earlier.layer_key = updates.layer_key AND earlier.version_number = updates.number_before
    LEFT JOIN channel_changes
        ON channel_changes.layer_key = updates.layer_key AND channel_changes.version_number = updates.version_number
)
SELECT
    versions.show_name,
    versions.sequence_name,
    versions.shot_name,
    versions.layer_name,
    versions.layer_key,
    versions.version,
    CASE versions.worst WHEN 0 THEN 'ok' WHEN 1 THEN 'incomplete' WHEN 2 THEN 'damaged' ELSE 'unreadable' END AS worst_status,
    CASE
        WHEN changes.layer_key IS NULL THEN NULL
        WHEN coalesce(changes.channels, changes.resolution, changes.compression, changes.renderer, changes.frames) IS NULL
            THEN 'nothing of these'
        ELSE coalesce(changes.channels, '')
            || CASE WHEN changes.resolution IS NOT NULL AND changes.channels IS NOT NULL THEN ', ' ELSE '' END
            || coalesce(changes.resolution, '')
            || CASE WHEN changes.compression IS NOT NULL AND coalesce(changes.channels, changes.resolution) IS NOT NULL
                THEN ', ' ELSE '' END
            || coalesce(changes.compression, '')
            || CASE
                WHEN changes.renderer IS NOT NULL
                    AND coalesce(changes.channels, changes.resolution, changes.compression) IS NOT NULL THEN ', '
                ELSE ''
            END
            || coalesce(changes.renderer, '')
            || CASE
                WHEN changes.frames IS NOT NULL
                    AND coalesce(changes.channels, changes.resolution, changes.compression, changes.renderer) IS NOT NULL
                    THEN ', '
                ELSE ''
            END
            || coalesce(changes.frames, '')
    END AS changed,
    versions.frame_count,
    versions.first_frame,
    versions.last_frame,
    CAST(versions.total_bytes AS BIGINT) AS total_bytes,
    versions.render_hours,
    versions.channel_count,
    versions.last_written
FROM versions
JOIN layers ON layers.layer_key = versions.layer_key
LEFT JOIN changes ON changes.layer_key = versions.layer_key AND changes.version_number = versions.version_number
ORDER BY layers.last_written DESC, versions.layer_key, versions.version_number DESC
LIMIT $limit
