-- Question: Which files were broken and are whole now?
-- Group: broken
-- Asked by: render wranglers, for what the farm has mended since yesterday
-- Nothing: no broken file has been written again
-- Note: the earlier version of the path was incomplete, damaged or unreadable, and the one that is there now is not. A file that
--   was written again with the same header, such as one that was still being copied, keeps no trace of having been broken.
-- $since time = now-30d: written again from then on
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH broken AS (
    SELECT file_path_normalized, max(status) AS status_before
    FROM files
    WHERE NOT is_current AND status <> 'ok'
    GROUP BY file_path_normalized
)
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    files.frame_number,
    broken.status_before,
    files.mtime AS written_again,
    files.file_path
FROM files
JOIN broken ON broken.file_path_normalized = files.file_path_normalized
WHERE files.is_current AND files.deleted_at IS NULL AND files.status = 'ok' AND files.mtime >= $since
    AND ($show IS NULL OR files.show_name = $show) AND ($shot IS NULL OR files.shot_name = $shot)
ORDER BY files.file_path
LIMIT $limit
