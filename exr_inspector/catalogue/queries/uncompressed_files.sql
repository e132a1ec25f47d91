-- Question: Which sequences and files are stored uncompressed?
-- Group: cost
-- Asked by: data managers who look for space
-- Nothing: no uncompressed files
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH uncompressed AS (
    SELECT file_id
    FROM parts
    WHERE compression = 'none'
    GROUP BY file_id
)
SELECT
    files.show_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    count(*) AS file_count,
    CAST(sum(files.size_bytes) AS BIGINT) AS total_bytes
FROM files
JOIN uncompressed ON uncompressed.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, files.shot_name, coalesce(files.sequence_key, files.file_path)
ORDER BY total_bytes DESC, sequence_or_file
LIMIT $limit
