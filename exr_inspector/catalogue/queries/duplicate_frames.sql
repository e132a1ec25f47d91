-- Question: Which frames exist twice, under different names?
-- Group: broken
-- Asked by: render wranglers, because readers of a sequence pick one of them at random
-- Nothing: no frame twice
-- Note: the same sequence and frame number in several files, such as beauty.1001.exr beside beauty.01001.exr.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    sequence_name,
    shot_name,
    sequence_key,
    frame_number,
    count(*) AS file_count,
    min(file_path) AS one_path,
    max(file_path) AS other_path
FROM files
WHERE is_current AND deleted_at IS NULL AND sequence_key IS NOT NULL AND frame_number IS NOT NULL
    AND ($show IS NULL OR show_name = $show)
GROUP BY show_name, sequence_name, shot_name, sequence_key, frame_number
HAVING count(*) > 1
ORDER BY sequence_key, frame_number
LIMIT $limit
