-- Question: Which frames were made unlike the rest of their sequence, and what differs?
-- Asked by: render wranglers and compositors, when one frame of a sequence behaves strangely
-- Note: distance is half the squared distance of metadata_embedding from the centroid of the sequence, which is computed
--   from distances between frames: mean to the sample minus half the mean within the sample. The sample is every n-th frame,
--   eight or so. Sequences whose frames all lie near one of them need no centroid. A frame is listed when it lies beyond
--   $threshold and $factor times as far as the sequence's frames on average.
-- $threshold number = 0.01: least distance; frames of one setup lie below 0.002
-- $factor number = 3: how many times the average distance of the sequence
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT
        file_id, file_path, show_name, shot_name, sequence_key, frame_number, channel_count, embedding_version
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
        CAST((max(frame_number) - min(frame_number)) / 8 AS BIGINT) + 1 AS stride
    FROM doubtful
    GROUP BY sequence_key
),
sampled AS (
    SELECT doubtful.sequence_key, doubtful.embedding_version, doubtful.metadata_embedding
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
            * array_distance(doubtful.metadata_embedding, sampled.metadata_embedding)) AS mean_square
    FROM doubtful
    JOIN sampled ON sampled.sequence_key = doubtful.sequence_key AND sampled.embedding_version = doubtful.embedding_version
    GROUP BY doubtful.file_id, doubtful.sequence_key
),
distances AS (
    SELECT means.file_id, means.sequence_key, (means.mean_square - spreads.spread) / 2 AS distance
    FROM means
    JOIN spreads ON spreads.sequence_key = means.sequence_key
),
averages AS (
    SELECT sequence_key, avg(distance) AS average
    FROM distances
    GROUP BY sequence_key
),
unlike AS (
    SELECT distances.file_id, distances.sequence_key, distances.distance
    FROM distances
    JOIN averages ON averages.sequence_key = distances.sequence_key
    WHERE distances.distance > $threshold AND distances.distance > $factor * averages.average
),
facts AS (
    SELECT
        present.file_id,
        present.sequence_key,
        present.channel_count,
        coalesce(parts.compression, '-') AS compression,
        coalesce(parts.part_type, '-') AS part_type,
        coalesce(parts.data_window, '-') AS data_window,
        coalesce(parts.display_window, '-') AS display_window,
        coalesce(parts.render_software, '-') AS software,
        coalesce(parts.color_space, '-') AS color_space
    FROM present
    JOIN (SELECT sequence_key FROM unlike GROUP BY sequence_key) AS affected ON affected.sequence_key = present.sequence_key
    JOIN parts ON parts.file_id = present.file_id
    WHERE parts.part_index = 0
),
shares AS (
    SELECT
        mine.file_id,
        avg(CASE WHEN others.channel_count = mine.channel_count THEN 1.0 ELSE 0.0 END) AS channels,
        avg(CASE WHEN others.compression = mine.compression THEN 1.0 ELSE 0.0 END) AS compression,
        avg(CASE WHEN others.part_type = mine.part_type THEN 1.0 ELSE 0.0 END) AS part_type,
        avg(CASE WHEN others.data_window = mine.data_window THEN 1.0 ELSE 0.0 END) AS data_window,
        avg(CASE WHEN others.display_window = mine.display_window THEN 1.0 ELSE 0.0 END) AS display_window,
        avg(CASE WHEN others.software = mine.software THEN 1.0 ELSE 0.0 END) AS software,
        avg(CASE WHEN others.color_space = mine.color_space THEN 1.0 ELSE 0.0 END) AS color_space
    FROM facts AS mine
    JOIN unlike ON unlike.file_id = mine.file_id
    JOIN facts AS others ON others.sequence_key = mine.sequence_key
    GROUP BY mine.file_id
)
SELECT
    present.show_name,
    present.shot_name,
    present.sequence_key,
    present.frame_number,
    unlike.distance,
    CASE WHEN shares.channels < 0.5 THEN 'channels ' ELSE '' END
        || CASE WHEN shares.compression < 0.5 THEN 'compression ' ELSE '' END
        || CASE WHEN shares.part_type < 0.5 THEN 'type ' ELSE '' END
        || CASE WHEN shares.data_window < 0.5 THEN 'data_window ' ELSE '' END
        || CASE WHEN shares.display_window < 0.5 THEN 'display_window ' ELSE '' END
        || CASE WHEN shares.software < 0.5 THEN 'software ' ELSE '' END
        || CASE WHEN shares.color_space < 0.5 THEN 'color_space ' ELSE '' END AS differs_in,
    present.file_path
FROM unlike
JOIN present ON present.file_id = unlike.file_id
LEFT JOIN shares ON shares.file_id = unlike.file_id
ORDER BY unlike.distance DESC, present.file_path
LIMIT $limit
