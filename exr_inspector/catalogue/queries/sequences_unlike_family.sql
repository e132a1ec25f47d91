-- Question: Which sequences are set up like no other of a show?
-- Group: broken
-- Asked by: pipeline TDs and supervisors, who look for a scene that misses the show's template
-- Nothing: no sequence unlike the others of its show
-- Note: the file whose path sorts first stands for its sequence; nearest is half the squared distance of metadata_embedding
--   to the nearest other sequence of the show, so 0 means that another one is made alike. To compare few pairs, sequences with
--   the same facts that lie at the same distances from the first and the last of their show make a cell, of which two lead;
--   only what is like no leader with its facts is compared with all of the show. differs_in compares it with the nearest one:
--   with a minus what that has alone, with a plus what this has alone.
-- $threshold number = 0.1: least distance to the nearest other sequence; different setups begin near 0.1
-- $show text = null: only this show; null asks all
-- $limit integer = 100: rows at most
WITH first_files AS (
    SELECT show_name, sequence_key, embedding_version, min(file_path) AS file_path
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND sequence_key IS NOT NULL
        AND ($show IS NULL OR show_name = $show)
    GROUP BY show_name, sequence_key, embedding_version
),
heads AS (
    SELECT
        files.file_id,
        files.file_path,
        files.sequence_key,
        files.shot_name,
        files.show_name,
        files.embedding_version,
        CAST(coalesce(files.channel_count, 0) AS VARCHAR) || ' ' || CAST(coalesce(files.chunks_expected, 0) AS VARCHAR)
            || ' ' || coalesce(files.colorspace, '-') AS facts,
        files.metadata_embedding
    FROM files
    JOIN first_files ON first_files.file_path = files.file_path
    WHERE files.is_current AND files.deleted_at IS NULL
),
ends AS (
    SELECT show_name, embedding_version, min(file_path) AS first_path, max(file_path) AS last_path
    FROM first_files
    GROUP BY show_name, embedding_version
),
placed AS (
    SELECT
        heads.file_path,
        heads.show_name,
        heads.embedding_version,
        heads.facts,
        CAST(array_distance(heads.metadata_embedding, one.metadata_embedding) * 50 AS BIGINT) AS one_ring,
        CAST(array_distance(heads.metadata_embedding, other.metadata_embedding) * 50 AS BIGINT) AS other_ring
    FROM heads
    JOIN ends ON ends.show_name = heads.show_name AND ends.embedding_version = heads.embedding_version
    JOIN heads AS one ON one.file_path = ends.first_path
    JOIN heads AS other ON other.file_path = ends.last_path
),
cells AS (
    SELECT show_name, embedding_version, facts, one_ring, other_ring, min(file_path) AS first_path, max(file_path) AS last_path
    FROM placed
    GROUP BY show_name, embedding_version, facts, one_ring, other_ring
),
leading AS (
    SELECT first_path AS file_path
    FROM cells
    UNION ALL
    SELECT last_path AS file_path
    FROM cells
    WHERE last_path <> first_path
),
leaders AS (
    SELECT heads.show_name, heads.embedding_version, heads.facts, heads.file_path, heads.metadata_embedding
    FROM heads
    JOIN leading ON leading.file_path = heads.file_path
),
familiar AS (
    SELECT heads.file_path
    FROM heads
    JOIN leaders ON leaders.show_name = heads.show_name AND leaders.embedding_version = heads.embedding_version
        AND leaders.facts = heads.facts
    WHERE leaders.file_path <> heads.file_path
    GROUP BY heads.file_path
    HAVING CAST(min(array_distance(heads.metadata_embedding, leaders.metadata_embedding)) AS DOUBLE)
        * min(array_distance(heads.metadata_embedding, leaders.metadata_embedding)) / 2 <= $threshold
),
doubtful AS (
    SELECT heads.file_path, heads.show_name, heads.embedding_version, heads.metadata_embedding
    FROM heads
    LEFT JOIN familiar ON familiar.file_path = heads.file_path
    WHERE familiar.file_path IS NULL
),
nearest AS (
    SELECT
        doubtful.file_path,
        min(CAST(array_distance(doubtful.metadata_embedding, heads.metadata_embedding) AS DOUBLE)) AS distance
    FROM heads
    JOIN doubtful ON doubtful.show_name = heads.show_name AND doubtful.embedding_version = heads.embedding_version
    WHERE doubtful.file_path <> heads.file_path
    GROUP BY doubtful.file_path
),
unlike AS (
    SELECT
        heads.file_id, heads.file_path, heads.show_name, heads.shot_name, heads.sequence_key, heads.embedding_version,
        heads.metadata_embedding, nearest.distance
    FROM nearest
    JOIN heads ON heads.file_path = nearest.file_path
    WHERE nearest.distance * nearest.distance / 2 > $threshold
    ORDER BY nearest.distance DESC, heads.sequence_key
    LIMIT $limit
),
neighbours AS (
    SELECT unlike.file_id AS odd_id, min(heads.file_path) AS file_path
    FROM unlike
    JOIN heads ON heads.show_name = unlike.show_name AND heads.embedding_version = unlike.embedding_version
    WHERE heads.file_path <> unlike.file_path
        AND CAST(array_distance(unlike.metadata_embedding, heads.metadata_embedding) AS DOUBLE) <= unlike.distance
    GROUP BY unlike.file_id
),
compared AS (
    SELECT file_id AS odd_id, file_id, 1 AS mine
    FROM unlike
    UNION ALL
    SELECT neighbours.odd_id, heads.file_id, 0 AS mine
    FROM neighbours
    JOIN heads ON heads.file_path = neighbours.file_path
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
    unlike.distance * unlike.distance / 2 AS nearest,
    coalesce(differences.differs_in, 'no field by itself') AS differs_in,
    neighbours.file_path AS nearest_path,
    unlike.file_path
FROM unlike
LEFT JOIN neighbours ON neighbours.odd_id = unlike.file_id
LEFT JOIN differences ON differences.odd_id = unlike.file_id
ORDER BY nearest DESC, unlike.sequence_key
