-- Question: Which frames hold NaN, Infinity or negative colour?
-- Group: pixels
-- Asked by: compositors and render wranglers, before one bad pixel grows into a square in the first blur
-- Nothing: no bad pixels
-- Needs: statistics
-- Note: one row for each sequence, channel and fault, over the files whose pixels were measured. Colour and coverage must not
--   be negative; depth, normals, positions, motion and channels whose name tells nothing may be. first_x and first_y are the
--   column and line of the first NaN in first_path; of Infinity and negative samples no position is stored.
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH measured AS (
    SELECT
        file_id, part_index, channel_name, nan_count, negative_count, first_nan_x, first_nan_y,
        coalesce(pos_inf_count, 0) + coalesce(neg_inf_count, 0) AS infinity_count
    FROM pixel_stats
    WHERE nan_count > 0 OR pos_inf_count > 0 OR neg_inf_count > 0 OR negative_count > 0
),
colours AS (
    SELECT file_id, part_index, channel_name
    FROM channels
    WHERE file_id IN (SELECT file_id FROM measured)
        AND aov_role IN (
            'beauty', 'alpha', 'diffuse', 'specular', 'coat', 'sheen', 'transmission', 'subsurface', 'caustics', 'emission',
            'volume', 'shadow', 'light', 'background', 'albedo', 'occlusion'
        )
),
faults AS (
    SELECT
        file_id, part_index, channel_name, 'NaN' AS fault, nan_count AS samples, first_nan_x AS x, first_nan_y AS y
    FROM measured
    WHERE nan_count > 0
    UNION ALL
    SELECT
        file_id, part_index, channel_name, 'Infinity' AS fault, infinity_count AS samples, CAST(NULL AS BIGINT) AS x,
        CAST(NULL AS BIGINT) AS y
    FROM measured
    WHERE infinity_count > 0
    UNION ALL
    SELECT
        measured.file_id, measured.part_index, measured.channel_name, 'negative colour' AS fault,
        measured.negative_count AS samples, CAST(NULL AS BIGINT) AS x, CAST(NULL AS BIGINT) AS y
    FROM measured
    JOIN colours
        ON colours.file_id = measured.file_id AND colours.part_index = measured.part_index
        AND colours.channel_name = measured.channel_name
    WHERE measured.negative_count > 0
),
framed AS (
    SELECT
        files.show_name, files.sequence_name, files.shot_name, files.frame_number, files.file_path,
        coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
        faults.part_index, faults.channel_name, faults.fault, faults.samples, faults.x, faults.y
    FROM faults
    JOIN files ON files.file_id = faults.file_id
    WHERE files.is_current AND files.deleted_at IS NULL
        AND ($show IS NULL OR files.show_name = $show) AND ($sequence IS NULL OR files.sequence_name = $sequence)
        AND ($shot IS NULL OR files.shot_name = $shot)
),
firsts AS (
    SELECT sequence_or_file, part_index, channel_name, fault, min(file_path) AS first_path
    FROM framed
    GROUP BY sequence_or_file, part_index, channel_name, fault
)
SELECT
    framed.show_name,
    framed.sequence_name,
    framed.shot_name,
    framed.sequence_or_file,
    framed.fault,
    framed.part_index,
    framed.channel_name,
    count(*) AS frame_count,
    min(framed.frame_number) AS first_frame,
    max(framed.frame_number) AS last_frame,
    CAST(sum(framed.samples) AS BIGINT) AS sample_count,
    max(CASE WHEN framed.file_path = firsts.first_path THEN framed.x ELSE NULL END) AS first_x,
    max(CASE WHEN framed.file_path = firsts.first_path THEN framed.y ELSE NULL END) AS first_y,
    firsts.first_path
FROM framed
JOIN firsts
    ON firsts.sequence_or_file = framed.sequence_or_file AND firsts.part_index = framed.part_index
    AND firsts.channel_name = framed.channel_name AND firsts.fault = framed.fault
GROUP BY
    framed.show_name, framed.sequence_name, framed.shot_name, framed.sequence_or_file, framed.fault, framed.part_index,
    framed.channel_name, firsts.first_path
ORDER BY framed.sequence_or_file, framed.fault, framed.part_index, framed.channel_name, first_frame, framed.shot_name
LIMIT $limit
