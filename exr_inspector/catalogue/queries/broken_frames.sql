-- Question: Which files are incomplete, damaged or unreadable?
-- Group: broken
-- Asked by: render wranglers each morning, data managers before an archive
-- Nothing: no broken frames
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    sequence_name,
    shot_name,
    frame_number,
    status,
    completeness,
    chunks_present,
    chunks_expected,
    bytes_missing,
    error_code,
    file_path
FROM files
WHERE is_current AND deleted_at IS NULL AND status <> 'ok'
    AND ($show IS NULL OR show_name = $show) AND ($shot IS NULL OR shot_name = $shot)
ORDER BY status, file_path
LIMIT $limit
