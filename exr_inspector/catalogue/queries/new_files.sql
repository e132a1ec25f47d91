-- Question: What has arrived since a time?
-- Group: versions
-- Asked by: render wranglers and coordinators, for what the farm has delivered, and what of it is broken
-- Nothing: nothing has arrived since $since
-- Note: a file arrives when it is inspected for the first time, or again after it was rendered again; first_seen has that
--   time, for renders that were there before and came in by a backfill as well. Files that were removed since are left out.
-- $since time = now-1h: from then on
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    sequence_name,
    shot_name,
    coalesce(sequence_key, file_path) AS sequence_or_file,
    count(*) AS file_count,
    min(frame_number) AS first_frame,
    max(frame_number) AS last_frame,
    CAST(sum(CASE WHEN status = 'ok' THEN 1 ELSE 0 END) AS BIGINT) AS ok,
    CAST(sum(CASE WHEN status = 'incomplete' THEN 1 ELSE 0 END) AS BIGINT) AS incomplete,
    CAST(sum(CASE WHEN status = 'damaged' THEN 1 ELSE 0 END) AS BIGINT) AS damaged,
    CAST(sum(CASE WHEN status = 'unreadable' THEN 1 ELSE 0 END) AS BIGINT) AS unreadable,
    CAST(sum(size_bytes) AS BIGINT) AS total_bytes,
    min(first_seen) AS first_arrival,
    max(first_seen) AS last_arrival
FROM files
WHERE is_current AND deleted_at IS NULL AND first_seen >= $since
    AND ($show IS NULL OR show_name = $show) AND ($sequence IS NULL OR sequence_name = $sequence)
    AND ($shot IS NULL OR shot_name = $shot)
GROUP BY show_name, sequence_name, shot_name, coalesce(sequence_key, file_path)
ORDER BY last_arrival DESC, sequence_or_file
LIMIT $limit
