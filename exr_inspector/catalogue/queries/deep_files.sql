-- Question: Which renderers write deep files, and how large?
-- Group: cost
-- Asked by: data managers and FX supervisors; deep data are the largest files of most shows
-- Nothing: no deep files
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH renderers AS (
    SELECT file_id, min(coalesce(render_product, render_software)) AS software
    FROM parts
    WHERE is_deep
    GROUP BY file_id
)
SELECT
    files.show_name,
    coalesce(renderers.software, 'unknown') AS software,
    count(*) AS file_count,
    CAST(sum(files.size_bytes) AS BIGINT) AS total_bytes,
    CAST(avg(files.size_bytes) AS BIGINT) AS average_bytes,
    max(files.size_bytes) AS largest_bytes
FROM files
LEFT JOIN renderers ON renderers.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND files.is_deep AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, coalesce(renderers.software, 'unknown')
ORDER BY total_bytes DESC, files.show_name, software
LIMIT $limit
