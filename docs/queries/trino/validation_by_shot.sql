-- Question: Which shots have files that would fail delivery?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH judged AS (
  SELECT
    file_id,
    MAX(CASE WHEN status = 'FAIL' THEN 1 ELSE 0 END) AS has_failed,
    MAX(CASE WHEN status = 'WARN' THEN 1 ELSE 0 END) AS has_warned,
    SUM(CASE WHEN status = 'FAIL' THEN 1 ELSE 0 END) AS failures,
    MIN(CASE WHEN status = 'FAIL' THEN rule_id ELSE NULL END) AS failed_rule
  FROM vast."exr-metadata|exr_inspector"."validation_results"
  WHERE
    TRUE
  GROUP BY
    file_id
)
SELECT
  files.show_name,
  files.sequence_name,
  files.shot_name,
  COUNT(*) AS files_judged,
  CAST(SUM(judged.has_failed) AS BIGINT) AS files_failed,
  CAST(SUM(judged.has_warned) AS BIGINT) AS files_warned,
  CAST(SUM(judged.failures) AS BIGINT) AS failures,
  MIN(judged.failed_rule) AS a_failed_rule
FROM judged
JOIN vast."exr-metadata|exr_inspector"."files"
  ON files.file_id = judged.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND TRUE
GROUP BY
  files.show_name,
  files.sequence_name,
  files.shot_name
HAVING
  SUM(judged.has_failed) + SUM(judged.has_warned) > 0
ORDER BY
  files_failed DESC,
  files_warned DESC,
  files.show_name,
  files.sequence_name,
  files.shot_name
LIMIT 1000
