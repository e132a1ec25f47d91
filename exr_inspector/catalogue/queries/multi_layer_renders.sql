-- Question: Which renders carry several layers, and how many?
-- Group: similar
-- Asked by: compositors who look for the AOVs of a shot, and data managers who look for what to split
-- Nothing: no file has $least layers or more
-- $least integer = 2: layers at least, the unnamed one included
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH layers AS (
    SELECT file_id, part_index, layer_name, count(*) AS channels
    FROM channels
    GROUP BY file_id, part_index, layer_name
),
counted AS (
    SELECT file_id, count(*) AS layer_count, sum(channels) AS channel_count
    FROM layers
    GROUP BY file_id
)
SELECT
    files.show_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    max(counted.layer_count) AS layer_count,
    CAST(max(counted.channel_count) AS BIGINT) AS channel_count,
    max(files.multipart_count) AS part_count,
    count(*) AS file_count
FROM files
JOIN counted ON counted.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
    AND counted.layer_count >= $least
GROUP BY files.show_name, files.shot_name, coalesce(files.sequence_key, files.file_path)
ORDER BY layer_count DESC, channel_count DESC, files.show_name, files.shot_name, sequence_or_file
LIMIT $limit
