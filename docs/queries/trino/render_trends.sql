-- Question: What was rendered each day: new, rendered again, how much, how long, with how much memory?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH versions AS (
  SELECT
    file_id,
    show_name,
    file_path_normalized,
    CAST(mtime AS DATE) AS day,
    mtime,
    size_bytes
  FROM vast."exr-metadata|exr_inspector"."files"
  WHERE
    mtime >= CAST(AT_TIMEZONE(CURRENT_TIMESTAMP, 'UTC') AS TIMESTAMP) - INTERVAL '30' DAY
    AND mtime <= CAST(AT_TIMEZONE(CURRENT_TIMESTAMP, 'UTC') AS TIMESTAMP)
    AND TRUE
), earliest AS (
  SELECT
    file_path_normalized,
    MIN(mtime) AS first_mtime
  FROM vast."exr-metadata|exr_inspector"."files"
  GROUP BY
    file_path_normalized
), costs AS (
  SELECT
    file_id,
    MAX(render_seconds) AS render_seconds,
    MAX(peak_memory_mb) AS peak_memory_mb
  FROM vast."exr-metadata|exr_inspector"."parts"
  GROUP BY
    file_id
)
SELECT
  versions.day,
  versions.show_name,
  CAST(SUM(CASE WHEN versions.mtime = earliest.first_mtime THEN 1 ELSE 0 END) AS BIGINT) AS new_files,
  CAST(SUM(CASE WHEN versions.mtime > earliest.first_mtime THEN 1 ELSE 0 END) AS BIGINT) AS rendered_again,
  CAST(SUM(versions.size_bytes) AS BIGINT) AS total_bytes,
  CAST(SUM(costs.render_seconds) AS DOUBLE) / NULLIF(3600, 0) AS render_hours,
  AVG(costs.render_seconds) AS average_seconds,
  MAX(costs.peak_memory_mb) AS peak_memory_mb
FROM versions
JOIN earliest
  ON earliest.file_path_normalized = versions.file_path_normalized
LEFT JOIN costs
  ON costs.file_id = versions.file_id
GROUP BY
  versions.day,
  versions.show_name
ORDER BY
  versions.day,
  versions.show_name
LIMIT 1000
