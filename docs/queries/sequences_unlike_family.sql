-- Question: Which sequences of frames are set up like no other of their show?
-- Asked by: pipeline TDs and supervisors, who look for a scene that misses the show's template
-- Note: the file whose path sorts first stands for its sequence; nearest is half the squared distance of metadata_embedding
--   to the nearest other sequence of the show, so 0 means that another one is made alike. To compare few pairs, sequences with
--   the same facts that lie at the same distances from the first and the last of their show make a cell, of which two lead;
--   only what is like no leader with its facts is compared with all of the show.
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
)
SELECT
    heads.show_name,
    heads.shot_name,
    heads.sequence_key,
    nearest.distance * nearest.distance / 2 AS nearest,
    heads.file_path
FROM nearest
JOIN heads ON heads.file_path = nearest.file_path
WHERE nearest.distance * nearest.distance / 2 > $threshold
ORDER BY nearest DESC, heads.sequence_key
LIMIT $limit
