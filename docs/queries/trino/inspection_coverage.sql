-- Question: How well and how recently is each show inspected?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  show_name,
  COUNT(*) AS file_count,
  CAST(SUM(CASE WHEN status = 'ok' THEN 1 ELSE 0 END) AS BIGINT) AS ok,
  CAST(SUM(CASE WHEN status = 'incomplete' THEN 1 ELSE 0 END) AS BIGINT) AS incomplete,
  CAST(SUM(CASE WHEN status = 'unreadable' THEN 1 ELSE 0 END) AS BIGINT) AS unreadable,
  CAST(SUM(
    CASE
      WHEN last_inspected < CAST(AT_TIMEZONE(CURRENT_TIMESTAMP, 'UTC') AS TIMESTAMP) - INTERVAL '30' DAY
      THEN 1
      ELSE 0
    END
  ) AS BIGINT) AS stale,
  CAST(SUM(CASE WHEN mtime > last_inspected THEN 1 ELSE 0 END) AS BIGINT) AS changed_since,
  MIN(last_inspected) AS oldest_inspection,
  MAX(last_inspected) AS newest_inspection,
  MIN(inspector_version) AS oldest_inspector,
  MIN(embedding_version) AS oldest_embedding,
  MIN(schema_version) AS oldest_schema
FROM vast."exr-metadata|exr_inspector"."files"
WHERE
  is_current AND deleted_at IS NULL
GROUP BY
  show_name
ORDER BY
  show_name
LIMIT 1000
