-- Question: Which frames are unlike their sequence, and how?
-- Group: broken
-- Asked by: render wranglers and compositors, when one frame of a sequence behaves strangely
-- Nothing: no frame unlike its sequence
-- Note: distance is half the squared distance of metadata_embedding from the centroid of the sequence, which is computed
--   from distances between frames: mean to the sample minus half the mean within the sample. The sample is every n-th frame,
--   eight or so. Sequences whose frames all lie near one of them need no centroid. A frame is listed when it lies beyond
--   $threshold and $factor times as far as the sequence's frames on average. Of up to 16 frames the sample is all of them, and
--   each is left out of its own centroid and average, which it would draw to itself. differs_in compares it with that sample:
--   with a minus what most of its frames have and this one has not, with a plus what this one has alone.
-- $threshold number = 0.01: least distance; most frames of one setup lie below 0.005
-- $factor number = 3: how many times the average distance of the sequence
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT
        file_id, file_path, show_name, shot_name, sequence_key, frame_number, embedding_version
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND sequence_key IS NOT NULL
        AND ($show IS NULL OR show_name = $show)
),
first_files AS (
    SELECT sequence_key, embedding_version, min(file_path) AS file_path
    FROM present
    GROUP BY sequence_key, embedding_version
    HAVING count(*) >= 3
),
heads AS (
    SELECT first_files.sequence_key, first_files.embedding_version, files.metadata_embedding
    FROM first_files
    JOIN files ON files.file_path = first_files.file_path
    WHERE files.is_current AND files.deleted_at IS NULL
),
uneven AS (
    SELECT files.sequence_key
    FROM files
    JOIN heads ON heads.sequence_key = files.sequence_key AND heads.embedding_version = files.embedding_version
    WHERE files.is_current AND files.deleted_at IS NULL AND files.status <> 'unreadable'
        AND ($show IS NULL OR files.show_name = $show)
    GROUP BY files.sequence_key
    HAVING CAST(max(array_distance(files.metadata_embedding, heads.metadata_embedding)) AS DOUBLE)
        * max(array_distance(files.metadata_embedding, heads.metadata_embedding)) > $threshold / 2
),
doubtful AS (
    SELECT files.file_id, files.sequence_key, files.frame_number, files.embedding_version, files.metadata_embedding
    FROM files
    JOIN uneven ON uneven.sequence_key = files.sequence_key
    WHERE files.is_current AND files.deleted_at IS NULL AND files.status <> 'unreadable'
),
extents AS (
    SELECT
        sequence_key,
        min(frame_number) AS first_frame,
        CASE WHEN count(*) <= 16 THEN 1 ELSE CAST((count(*) - 1) / 8 AS BIGINT) + 1 END AS stride
    FROM doubtful
    GROUP BY sequence_key
),
sampled AS (
    SELECT
        doubtful.file_id, doubtful.sequence_key, doubtful.embedding_version, doubtful.metadata_embedding, extents.stride
    FROM doubtful
    JOIN extents ON extents.sequence_key = doubtful.sequence_key
    WHERE (doubtful.frame_number - extents.first_frame) % extents.stride = 0
),
spreads AS (
    SELECT
        one.sequence_key,
        avg(CAST(array_distance(one.metadata_embedding, other.metadata_embedding) AS DOUBLE)
            * array_distance(one.metadata_embedding, other.metadata_embedding)) / 2 AS spread
    FROM sampled AS one
    JOIN sampled AS other ON other.sequence_key = one.sequence_key AND other.embedding_version = one.embedding_version
    GROUP BY one.sequence_key
),
means AS (
    SELECT
        doubtful.file_id,
        doubtful.sequence_key,
        avg(CAST(array_distance(doubtful.metadata_embedding, sampled.metadata_embedding) AS DOUBLE)
            * array_distance(doubtful.metadata_embedding, sampled.metadata_embedding)) AS mean_square,
        CAST(count(*) AS DOUBLE) AS samples,
        CASE WHEN max(sampled.stride) = 1 AND count(*) > 1 THEN 1 ELSE 0 END AS left_out
    FROM doubtful
    JOIN sampled ON sampled.sequence_key = doubtful.sequence_key AND sampled.embedding_version = doubtful.embedding_version
    GROUP BY doubtful.file_id, doubtful.sequence_key
),
distances AS (
    SELECT
        means.file_id,
        means.sequence_key,
        means.left_out,
        (means.mean_square - spreads.spread) / 2 * means.samples * means.samples
            / ((means.samples - means.left_out) * (means.samples - means.left_out)) AS distance
    FROM means
    JOIN spreads ON spreads.sequence_key = means.sequence_key
),
totals AS (
    SELECT sequence_key, sum(distance) AS distance, count(*) AS frames
    FROM distances
    GROUP BY sequence_key
),
unlike AS (
    SELECT
        present.file_id, present.file_path, present.show_name, present.shot_name, present.sequence_key, present.frame_number,
        distances.distance
    FROM distances
    JOIN totals ON totals.sequence_key = distances.sequence_key
    JOIN present ON present.file_id = distances.file_id
    WHERE distances.distance > $threshold
        AND distances.distance * (totals.frames - distances.left_out)
            > $factor * (totals.distance - distances.left_out * distances.distance)
    ORDER BY distances.distance DESC, present.file_path
    LIMIT $limit
),
compared AS (
    SELECT file_id AS odd_id, file_id, 1 AS mine
    FROM unlike
    UNION ALL
    SELECT unlike.file_id AS odd_id, sampled.file_id, 0 AS mine
    FROM unlike
    JOIN sampled ON sampled.sequence_key = unlike.sequence_key
    WHERE sampled.file_id <> unlike.file_id
),
topics AS (
    SELECT 1 AS topic, 'channel names' AS label
    UNION ALL SELECT 2 AS topic, 'channel types' AS label
    UNION ALL SELECT 3 AS topic, 'parts' AS label
    UNION ALL SELECT 4 AS topic, 'compression' AS label
    UNION ALL SELECT 5 AS topic, 'type' AS label
    UNION ALL SELECT 6 AS topic, 'tiles' AS label
    UNION ALL SELECT 7 AS topic, 'line_order' AS label
    UNION ALL SELECT 8 AS topic, 'data_window' AS label
    UNION ALL SELECT 9 AS topic, 'display_window' AS label
    UNION ALL SELECT 10 AS topic, 'pixel_aspect_ratio' AS label
    UNION ALL SELECT 11 AS topic, 'part name' AS label
    UNION ALL SELECT 12 AS topic, 'view' AS label
    UNION ALL SELECT 13 AS topic, 'color_space' AS label
    UNION ALL SELECT 14 AS topic, 'software' AS label
    UNION ALL SELECT 15 AS topic, 'attributes' AS label
    UNION ALL SELECT 16 AS topic, 'attribute values' AS label
),
facts AS (
    SELECT
        channels.file_id, channels.part_index, 1 AS absent, 2 AS changed, channels.channel_name AS name,
        channels.channel_type || ' ' || coalesce(CAST(channels.x_sampling AS VARCHAR), '-')
            || ' ' || coalesce(CAST(channels.y_sampling AS VARCHAR), '-') AS value
    FROM channels
    WHERE channels.file_id IN (SELECT file_id FROM compared)
    UNION ALL
    SELECT
        parts.file_id, parts.part_index, 3 AS absent, topics.topic AS changed, topics.label AS name,
        coalesce(
            CASE topics.topic
                WHEN 4 THEN parts.compression
                WHEN 5 THEN parts.part_type
                WHEN 6 THEN CAST(parts.tile_width AS VARCHAR) || ' ' || CAST(parts.tile_height AS VARCHAR)
                    || ' ' || coalesce(parts.tile_level_mode, '-')
                WHEN 7 THEN parts.line_order
                WHEN 8 THEN parts.data_window
                WHEN 9 THEN parts.display_window
                WHEN 10 THEN CAST(parts.pixel_aspect_ratio AS VARCHAR)
                WHEN 11 THEN parts.part_name
                WHEN 12 THEN parts.view_name
                WHEN 13 THEN parts.color_space
                ELSE coalesce(parts.render_product || coalesce(' ' || parts.render_software_version, ''), parts.render_software)
            END,
            '-'
        ) AS value
    FROM parts
    JOIN topics ON topics.topic > 3 AND topics.topic < 15
    WHERE parts.file_id IN (SELECT file_id FROM compared)
    UNION ALL
    SELECT
        attributes.file_id, attributes.part_index, 15 AS absent, 16 AS changed, attributes.attr_name AS name,
        attributes.attr_type || ' ' || coalesce(attributes.value_json, attributes.raw_base64, '-') AS value
    FROM attributes
    WHERE attributes.file_id IN (SELECT file_id FROM compared)
        AND attributes.attr_name NOT IN (
            'channels', 'chunkCount', 'compression', 'dataWindow', 'displayWindow', 'lineOrder', 'multiView', 'name',
            'oiio:ColorSpace', 'pixelAspectRatio', 'preview', 'software', 'Software', 'tiles', 'type', 'version', 'view'
        )
),
held AS (
    SELECT
        compared.odd_id, facts.part_index, facts.absent, facts.changed, facts.name, facts.value,
        sum(compared.mine) AS mine,
        count(*) - sum(compared.mine) AS others
    FROM facts
    JOIN compared ON compared.file_id = facts.file_id
    GROUP BY compared.odd_id, facts.part_index, facts.absent, facts.changed, facts.name, facts.value
),
sizes AS (
    SELECT odd_id, count(*) - sum(mine) AS others
    FROM compared
    GROUP BY odd_id
),
fields AS (
    SELECT
        held.odd_id, held.part_index, held.absent, held.changed, held.name, sizes.others AS frames,
        sum(held.mine) AS mine,
        sum(held.others) AS others,
        max(CASE WHEN held.mine = 0 THEN held.others ELSE 0 END) AS agreed
    FROM held
    JOIN sizes ON sizes.odd_id = held.odd_id
    GROUP BY held.odd_id, held.part_index, held.absent, held.changed, held.name, sizes.others
),
odd AS (
    SELECT
        odd_id,
        CASE WHEN mine = 0 THEN '-' || name WHEN others * 2 < frames THEN '+' || name ELSE name END AS name,
        CASE WHEN mine > 0 AND others * 2 >= frames THEN changed ELSE absent END AS topic
    FROM fields
    WHERE mine = 0 AND others * 2 > frames
        OR mine > 0 AND others * 2 < frames
        OR mine > 0 AND agreed * 2 > frames AND (changed < 16 OR agreed * 4 > frames * 3)
),
told AS (
    SELECT odd_id, topic, min(name) AS name, max(name) AS last_name, count(*) AS names
    FROM odd
    GROUP BY odd_id, topic
),
firsts AS (
    SELECT odd_id, min(topic) AS topic
    FROM told
    GROUP BY odd_id
),
said AS (
    SELECT
        told.odd_id,
        told.topic,
        CASE WHEN told.topic = firsts.topic THEN '' ELSE ', ' END || topics.label
            || CASE
                WHEN told.topic > 2 AND told.topic < 15 THEN ''
                WHEN told.names = 1 THEN ' (' || told.name || ')'
                WHEN told.names = 2 THEN ' (' || told.name || ', ' || told.last_name || ')'
                ELSE ' (' || told.name || ', ' || told.last_name || ' and ' || CAST(told.names - 2 AS VARCHAR) || ' more)'
            END AS words
    FROM told
    JOIN topics ON topics.topic = told.topic
    JOIN firsts ON firsts.odd_id = told.odd_id
),
differences AS (
    SELECT
        odd_id,
        coalesce(max(CASE WHEN topic = 1 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 2 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 3 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 4 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 5 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 6 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 7 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 8 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 9 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 10 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 11 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 12 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 13 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 14 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 15 THEN words END), '')
            || coalesce(max(CASE WHEN topic = 16 THEN words END), '') AS differs_in
    FROM said
    GROUP BY odd_id
)
SELECT
    unlike.show_name,
    unlike.shot_name,
    unlike.sequence_key,
    unlike.frame_number,
    unlike.distance,
    coalesce(differences.differs_in, 'nothing that most of its frames agree on') AS differs_in,
    unlike.file_path
FROM unlike
LEFT JOIN differences ON differences.odd_id = unlike.file_id
ORDER BY unlike.distance DESC, unlike.file_path
