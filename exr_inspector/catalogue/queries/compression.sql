-- Question: Which compression is used, and what does it save?
-- Group: cost
-- Asked by: data managers and pipeline leads, before they change a template
-- Nothing: no files
-- Note: logical bytes are those of the samples without compression; deep files have none, so they are left out of the ratio.
--   Parts of a file that are compressed differently make it one of several.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH whole AS (
    SELECT
        file_id,
        CASE WHEN min(compression) <> max(compression) THEN 'several' ELSE min(compression) END AS compression,
        CASE WHEN count(*) = count(logical_bytes) THEN sum(logical_bytes) ELSE NULL END AS logical_bytes
    FROM parts
    GROUP BY file_id
)
SELECT
    files.show_name,
    whole.compression,
    count(*) AS file_count,
    CAST(sum(files.size_bytes) AS BIGINT) AS stored_bytes,
    CAST(sum(whole.logical_bytes) AS BIGINT) AS logical_bytes,
    CAST(sum(whole.logical_bytes) AS DOUBLE)
        / CAST(sum(CASE WHEN whole.logical_bytes IS NULL THEN NULL ELSE files.size_bytes END) AS DOUBLE) AS ratio
FROM files
JOIN whole ON whole.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, whole.compression
ORDER BY stored_bytes DESC, files.show_name, whole.compression
LIMIT $limit
