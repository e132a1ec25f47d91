-- Question: How well and how recently is each show inspected?
-- Group: coverage
-- Asked by: pipeline TDs who operate exr-inspector
-- Nothing: no files
-- $before time = now-30d: an inspection earlier than this is stale
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    count(*) AS file_count,
    CAST(sum(CASE WHEN status = 'ok' THEN 1 ELSE 0 END) AS BIGINT) AS ok,
    CAST(sum(CASE WHEN status = 'incomplete' THEN 1 ELSE 0 END) AS BIGINT) AS incomplete,
    CAST(sum(CASE WHEN status = 'damaged' THEN 1 ELSE 0 END) AS BIGINT) AS damaged,
    CAST(sum(CASE WHEN status = 'unreadable' THEN 1 ELSE 0 END) AS BIGINT) AS unreadable,
    CAST(sum(CASE WHEN last_inspected < $before THEN 1 ELSE 0 END) AS BIGINT) AS stale,
    CAST(sum(CASE WHEN mtime > last_inspected THEN 1 ELSE 0 END) AS BIGINT) AS changed_since,
    min(last_inspected) AS oldest_inspection,
    max(last_inspected) AS newest_inspection,
    min(inspector_version) AS oldest_inspector,
    min(embedding_version) AS oldest_embedding,
    min(schema_version) AS oldest_schema
FROM files
WHERE is_current AND deleted_at IS NULL
GROUP BY show_name
ORDER BY show_name
LIMIT $limit
