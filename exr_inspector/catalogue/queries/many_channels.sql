-- Question: Which files have too many channels?
-- Group: cost
-- Asked by: pipeline TDs; a file with hundreds of channels is slow to open in every tool
-- Nothing: no file has $least channels or more
-- $least integer = 200: channels at least, over all parts
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
SELECT show_name, shot_name, frame_number, channel_count, multipart_count, size_bytes, file_path
FROM files
WHERE is_current AND deleted_at IS NULL AND channel_count >= $least AND ($show IS NULL OR show_name = $show)
ORDER BY channel_count DESC, file_path
LIMIT $limit
