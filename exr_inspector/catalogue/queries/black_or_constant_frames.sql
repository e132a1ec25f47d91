-- Question: Which frames are black, or of one colour?
-- Group: pixels
-- Asked by: render wranglers and compositors; a frame without light or texture is complete, and still not a picture
-- Nothing: no black or constant frames of the role $role
-- Needs: statistics
-- Note: one row for each sequence, layer and kind, over the files whose pixels were measured: black where all samples of all
--   colour channels of the layer are 0, constant where each channel has one value. Alpha plays no part. An AOV of lights that
--   are off is black in every frame, as frames_of_sequence tells, so only the beauty is asked for unless role says otherwise.
-- $role text = beauty: what the channels hold, such as diffuse; all asks every colour
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH constants AS (
    SELECT
        file_id, part_index, channel_name,
        CASE WHEN min_value = 0 AND max_value = 0 THEN 1 ELSE 0 END AS is_zero
    FROM pixel_stats
    WHERE is_constant
),
painted AS (
    SELECT file_id, part_index, layer_name, aov_role, channel_name
    FROM channels
    WHERE file_id IN (SELECT file_id FROM constants) AND ($role = 'all' OR aov_role = $role)
        AND aov_role IN (
            'beauty', 'diffuse', 'specular', 'coat', 'sheen', 'transmission', 'subsurface', 'caustics', 'emission', 'volume',
            'shadow', 'light', 'background', 'albedo', 'occlusion'
        )
),
pictures AS (
    SELECT
        painted.file_id, painted.part_index, painted.layer_name, painted.aov_role,
        CASE WHEN sum(constants.is_zero) = count(*) THEN 'black' ELSE 'constant' END AS kind
    FROM painted
    LEFT JOIN constants
        ON constants.file_id = painted.file_id AND constants.part_index = painted.part_index
        AND constants.channel_name = painted.channel_name
    GROUP BY painted.file_id, painted.part_index, painted.layer_name, painted.aov_role
    HAVING count(constants.is_zero) = count(*)
),
sizes AS (
    SELECT coalesce(sequence_key, file_path) AS sequence_or_file, count(*) AS frames
    FROM files
    WHERE is_current AND deleted_at IS NULL
    GROUP BY coalesce(sequence_key, file_path)
)
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    sizes.sequence_or_file,
    pictures.kind,
    pictures.part_index,
    pictures.layer_name,
    pictures.aov_role,
    count(*) AS frame_count,
    sizes.frames AS frames_of_sequence,
    min(files.frame_number) AS first_frame,
    max(files.frame_number) AS last_frame,
    min(files.file_path) AS first_path
FROM pictures
JOIN files ON files.file_id = pictures.file_id
JOIN sizes ON sizes.sequence_or_file = coalesce(files.sequence_key, files.file_path)
WHERE files.is_current AND files.deleted_at IS NULL
    AND ($show IS NULL OR files.show_name = $show) AND ($sequence IS NULL OR files.sequence_name = $sequence)
    AND ($shot IS NULL OR files.shot_name = $shot)
GROUP BY
    files.show_name, files.sequence_name, files.shot_name, sizes.sequence_or_file, sizes.frames, pictures.kind,
    pictures.part_index, pictures.layer_name, pictures.aov_role
ORDER BY sizes.sequence_or_file, pictures.kind, pictures.part_index, pictures.layer_name, pictures.aov_role, first_frame
LIMIT $limit
