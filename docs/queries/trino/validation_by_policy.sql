-- Question: Which rules of which policy fail, and how often?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
SELECT
  validation_results.policy_id,
  validation_results.policy_version,
  validation_results.rule_id,
  validation_results.severity,
  CAST(SUM(CASE WHEN validation_results.status = 'PASS' THEN 1 ELSE 0 END) AS BIGINT) AS passed,
  CAST(SUM(CASE WHEN validation_results.status = 'WARN' THEN 1 ELSE 0 END) AS BIGINT) AS warned,
  CAST(SUM(CASE WHEN validation_results.status = 'FAIL' THEN 1 ELSE 0 END) AS BIGINT) AS failed,
  MIN(
    CASE
      WHEN validation_results.status <> 'PASS'
      THEN validation_results.message
      ELSE NULL
    END
  ) AS example
FROM vast."exr-metadata|exr_inspector"."validation_results"
JOIN vast."exr-metadata|exr_inspector"."files"
  ON files.file_id = validation_results.file_id
WHERE
  files.is_current AND files.deleted_at IS NULL AND TRUE AND TRUE
GROUP BY
  validation_results.policy_id,
  validation_results.policy_version,
  validation_results.rule_id,
  validation_results.severity
ORDER BY
  failed DESC,
  warned DESC,
  validation_results.policy_id,
  validation_results.policy_version,
  validation_results.rule_id
LIMIT 1000
