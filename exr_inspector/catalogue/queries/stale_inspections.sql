-- Question: Which shots were not inspected for long?
-- Group: coverage
-- Asked by: pipeline TDs who plan a backfill
-- Nothing: no file was last inspected before $before
-- $before time = now-30d: an inspection earlier than this is stale
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    sequence_name,
    shot_name,
    count(*) AS file_count,
    min(last_inspected) AS oldest_inspection,
    CAST(sum(size_bytes) AS BIGINT) AS total_bytes
FROM files
WHERE is_current AND deleted_at IS NULL AND last_inspected < $before AND ($show IS NULL OR show_name = $show)
GROUP BY show_name, sequence_name, shot_name
ORDER BY oldest_inspection, show_name, sequence_name, shot_name
LIMIT $limit
