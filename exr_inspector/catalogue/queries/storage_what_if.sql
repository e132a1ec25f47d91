-- Question: What would compression, halves, less overscan save?
-- Group: cost
-- Asked by: data managers and pipeline leads
-- Nothing: nothing to save
-- Note: estimates. Compressing saves what $share leaves of an uncompressed file. Half floats save half the share that colour
--   channels of type FLOAT have in the samples; data such as depth, positions, ids and vectors are left alone. Overscan is the
--   share of the data window outside the display window. The three overlap, so they do not add up.
-- $share number = 0.5: compressed size as a share of the uncompressed size
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT file_id, show_name, sequence_name, shot_name, size_bytes
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status = 'ok' AND ($show IS NULL OR show_name = $show)
),
first_parts AS (
    SELECT
        file_id,
        compression,
        CAST(width AS DOUBLE) * height AS data_area,
        CAST(CASE WHEN display_width < width THEN display_width ELSE width END AS DOUBLE)
            * CASE WHEN display_height < height THEN display_height ELSE height END AS display_area
    FROM parts
    WHERE part_index = 0 AND width > 0 AND height > 0
),
samples AS (
    SELECT
        file_id,
        sum(CASE WHEN channel_type = 'HALF' THEN 2.0 ELSE 4.0 END / (x_sampling * y_sampling)) AS bytes_a_pixel,
        sum(CASE
            WHEN channel_type = 'FLOAT' AND aov_role = 'alpha' AND layer_name = '' THEN 2.0 / (x_sampling * y_sampling)
            WHEN channel_type = 'FLOAT' AND aov_role IN (
                'beauty', 'diffuse', 'specular', 'coat', 'sheen', 'transmission', 'subsurface', 'caustics', 'emission', 'volume',
                'shadow', 'light', 'background', 'albedo', 'occlusion'
            ) THEN 2.0 / (x_sampling * y_sampling)
            ELSE 0.0
        END) AS saved_a_pixel
    FROM channels
    WHERE x_sampling > 0 AND y_sampling > 0
    GROUP BY file_id
),
ideas AS (
    SELECT present.file_id, 'compress' AS idea, present.size_bytes * (1 - $share) AS saved
    FROM present
    JOIN first_parts ON first_parts.file_id = present.file_id
    WHERE first_parts.compression = 'none'
    UNION ALL
    SELECT present.file_id, 'half floats' AS idea, present.size_bytes * samples.saved_a_pixel / samples.bytes_a_pixel AS saved
    FROM present
    JOIN samples ON samples.file_id = present.file_id
    WHERE samples.saved_a_pixel > 0
    UNION ALL
    SELECT
        present.file_id,
        'no overscan' AS idea,
        present.size_bytes * (1 - first_parts.display_area / first_parts.data_area) AS saved
    FROM present
    JOIN first_parts ON first_parts.file_id = present.file_id
    WHERE first_parts.display_area < first_parts.data_area
)
SELECT
    present.show_name,
    present.sequence_name,
    present.shot_name,
    ideas.idea,
    count(*) AS file_count,
    CAST(sum(present.size_bytes) AS BIGINT) AS stored_bytes,
    CAST(sum(ideas.saved) AS BIGINT) AS saved_bytes
FROM ideas
JOIN present ON present.file_id = ideas.file_id
GROUP BY present.show_name, present.sequence_name, present.shot_name, ideas.idea
ORDER BY saved_bytes DESC, present.show_name, present.sequence_name, present.shot_name, ideas.idea
LIMIT $limit
