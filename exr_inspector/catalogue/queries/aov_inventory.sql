-- Question: Which AOVs does a shot have, and what do they take?
-- Group: attributes
-- Asked by: compositors before they set up a script, lighters who look for a missing AOV, and leads who look for what to drop
-- Nothing: no file has named channels[ of the category $category]
-- Note: what a layer takes is counted in bytes of its samples, uncompressed, over all files that hold it; of deep layers it is not
--   known from headers. A layer without a name is the picture itself, or that of a part.
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $category text = null: only this category, such as lighting or light_group; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT file_id, show_name, sequence_name, shot_name
    FROM files
    WHERE is_current AND deleted_at IS NULL AND ($show IS NULL OR show_name = $show)
        AND ($sequence IS NULL OR sequence_name = $sequence) AND ($shot IS NULL OR shot_name = $shot)
),
areas AS (
    SELECT file_id, part_index, CASE WHEN is_deep THEN NULL ELSE CAST(width AS DOUBLE) * height END AS pixels
    FROM parts
    WHERE width > 0 AND height > 0
),
samples AS (
    SELECT
        file_id,
        part_index,
        aov_category,
        view_name,
        light_group,
        layer_name,
        CASE WHEN aov_role = 'alpha' THEN NULL ELSE aov_role END AS aov_role,
        CASE WHEN channel_type = 'HALF' THEN 2.0 ELSE 4.0 END / (x_sampling * y_sampling) AS bytes_a_pixel
    FROM channels
    WHERE x_sampling > 0 AND y_sampling > 0 AND ($category IS NULL OR aov_category = $category)
),
layers AS (
    SELECT
        samples.file_id,
        samples.aov_category,
        samples.view_name,
        samples.light_group,
        samples.layer_name,
        max(samples.aov_role) AS aov_role,
        sum(areas.pixels * samples.bytes_a_pixel) AS sample_bytes
    FROM samples
    LEFT JOIN areas ON areas.file_id = samples.file_id AND areas.part_index = samples.part_index
    GROUP BY samples.file_id, samples.aov_category, samples.view_name, samples.light_group, samples.layer_name
)
SELECT
    present.show_name,
    present.sequence_name,
    present.shot_name,
    layers.view_name,
    layers.aov_category,
    max(layers.aov_role) AS aov_role,
    layers.light_group,
    layers.layer_name,
    count(*) AS file_count,
    CAST(sum(layers.sample_bytes) AS BIGINT) AS sample_bytes
FROM present
JOIN layers ON layers.file_id = present.file_id
GROUP BY
    present.show_name, present.sequence_name, present.shot_name, layers.view_name, layers.aov_category, layers.light_group,
    layers.layer_name
ORDER BY
    present.show_name, present.sequence_name, present.shot_name, coalesce(layers.view_name, ''), layers.aov_category,
    coalesce(layers.light_group, ''), layers.layer_name
LIMIT $limit
