-- Question: What was rendered each day, and at what cost?
-- Group: cost
-- Asked by: render wranglers and producers
-- Nothing: nothing was rendered from $since to $until
-- Note: the day is that of the file's modification, in UTC. A version of a path that has an earlier one was rendered again.
--   Times and memory are those that renderers wrote into the header.
-- $since time = now-30d: from then on
-- $until time = now: until then
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH versions AS (
    SELECT file_id, show_name, file_path_normalized, CAST(mtime AS DATE) AS day, mtime, size_bytes
    FROM files
    WHERE mtime >= $since AND mtime <= $until AND ($show IS NULL OR show_name = $show)
),
earliest AS (
    SELECT file_path_normalized, min(mtime) AS first_mtime
    FROM files
    GROUP BY file_path_normalized
),
costs AS (
    SELECT file_id, min(render_product) AS render_product, max(render_seconds) AS render_seconds,
        max(peak_memory_mb) AS peak_memory_mb
    FROM parts
    GROUP BY file_id
)
SELECT
    versions.day,
    versions.show_name,
    costs.render_product,
    CAST(sum(CASE WHEN versions.mtime = earliest.first_mtime THEN 1 ELSE 0 END) AS BIGINT) AS new_files,
    CAST(sum(CASE WHEN versions.mtime > earliest.first_mtime THEN 1 ELSE 0 END) AS BIGINT) AS rendered_again,
    CAST(sum(versions.size_bytes) AS BIGINT) AS total_bytes,
    sum(costs.render_seconds) / 3600 AS render_hours,
    avg(costs.render_seconds) AS average_seconds,
    max(costs.peak_memory_mb) AS peak_memory_mb
FROM versions
JOIN earliest ON earliest.file_path_normalized = versions.file_path_normalized
LEFT JOIN costs ON costs.file_id = versions.file_id
GROUP BY versions.day, versions.show_name, costs.render_product
ORDER BY versions.day, versions.show_name, costs.render_product
LIMIT $limit
