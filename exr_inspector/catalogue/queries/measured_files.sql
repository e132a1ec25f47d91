-- Question: Of how many files were the pixels measured?
-- Group: coverage
-- Asked by: whoever reads that no frame is black or holds NaN, and wants to know of how many frames that is so
-- Nothing: no files at all
-- Note: NaN, black frames, jumps of brightness and repeated pictures are known of measured files alone. sampled_count are files
--   of which some channel was read in part.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH measured AS (
    SELECT file_id, max(CASE WHEN is_sampled THEN 1 ELSE 0 END) AS is_sampled
    FROM pixel_stats
    GROUP BY file_id
)
SELECT
    files.show_name,
    count(*) AS file_count,
    count(measured.file_id) AS measured_count,
    CAST(coalesce(sum(measured.is_sampled), 0) AS BIGINT) AS sampled_count
FROM files
LEFT JOIN measured ON measured.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name
ORDER BY files.show_name
LIMIT $limit
