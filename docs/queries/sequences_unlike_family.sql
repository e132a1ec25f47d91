-- Question: Which sequences of frames are set up like no other of their show?
-- Asked by: pipeline TDs and supervisors, who look for a scene that misses the show's template
-- Note: the file whose path sorts first stands for its sequence; nearest is half the squared distance of metadata_embedding to the nearest
--   other sequence of the show, so 0 means that another one is made alike.
-- $threshold number = 0.1: least distance to the nearest other sequence; different setups begin near 0.1
-- $show text = null: only this show; null asks all
-- $limit integer = 100: rows at most
WITH present AS (
    SELECT file_path, show_name, shot_name, sequence_key, embedding_version, metadata_embedding
    FROM files
    WHERE is_current AND deleted_at IS NULL AND status <> 'unreadable' AND sequence_key IS NOT NULL
        AND ($show IS NULL OR show_name = $show)
),
first_files AS (
    SELECT show_name, sequence_key, embedding_version, min(file_path) AS file_path
    FROM present
    GROUP BY show_name, sequence_key, embedding_version
),
pairs AS (
    SELECT one.file_path AS one_path, other.file_path AS other_path
    FROM first_files AS one
    JOIN first_files AS other ON other.show_name = one.show_name AND other.embedding_version = one.embedding_version
    WHERE other.sequence_key <> one.sequence_key
    GROUP BY one.file_path, other.file_path
),
nearest AS (
    SELECT
        pairs.one_path,
        min(CAST(array_distance(one.metadata_embedding, other.metadata_embedding) AS DOUBLE)) AS distance
    FROM pairs
    JOIN present AS one ON one.file_path = pairs.one_path
    JOIN present AS other ON other.file_path = pairs.other_path
    GROUP BY pairs.one_path
)
SELECT
    present.show_name,
    present.shot_name,
    present.sequence_key,
    nearest.distance * nearest.distance / 2 AS nearest,
    present.file_path
FROM nearest
JOIN present ON present.file_path = nearest.one_path
WHERE nearest.distance * nearest.distance / 2 > $threshold
ORDER BY nearest DESC, present.sequence_key
LIMIT $limit
