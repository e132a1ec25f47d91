-- Question: Which neighbouring frames hold the same picture?
-- Group: broken
-- Asked by: render wranglers and compositors; a frozen frame is a cache or a farm fault that no one sees in a still
-- Nothing: no frozen frames
-- Note: the sizes of all compressed chunks are equal, which two different pictures hardly ever reach. Frames that are meant to
--   be still, such as a black leader, are listed too.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT
        files.show_name, files.shot_name, files.sequence_key, files.frame_number, files.file_path,
        files.chunk_sizes_sha256
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.sequence_key IS NOT NULL AND files.frame_number IS NOT NULL
        AND files.chunk_sizes_sha256 IS NOT NULL AND parts.part_index = 0 AND parts.compression <> 'none'
        AND ($show IS NULL OR files.show_name = $show)
)
SELECT
    earlier.show_name,
    earlier.shot_name,
    earlier.sequence_key,
    earlier.frame_number,
    later.frame_number AS same_as_frame,
    later.file_path
FROM present AS earlier
JOIN present AS later
    ON later.sequence_key = earlier.sequence_key AND later.frame_number = earlier.frame_number + 1
    AND later.chunk_sizes_sha256 = earlier.chunk_sizes_sha256
ORDER BY earlier.sequence_key, earlier.frame_number, later.file_path
LIMIT $limit
