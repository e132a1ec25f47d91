-- Question: Which rules of which policy fail, and how often?
-- Group: delivery
-- Asked by: delivery coordinators and whoever maintains the policies
-- Nothing: no rules of a policy
-- Needs: findings
-- $policy text = null: only this policy; null asks all
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
SELECT
    validation_results.policy_id,
    validation_results.policy_version,
    validation_results.rule_id,
    validation_results.severity,
    CAST(sum(CASE WHEN validation_results.status = 'PASS' THEN 1 ELSE 0 END) AS BIGINT) AS passed,
    CAST(sum(CASE WHEN validation_results.status = 'WARN' THEN 1 ELSE 0 END) AS BIGINT) AS warned,
    CAST(sum(CASE WHEN validation_results.status = 'FAIL' THEN 1 ELSE 0 END) AS BIGINT) AS failed,
    min(CASE WHEN validation_results.status <> 'PASS' THEN validation_results.message ELSE NULL END) AS example
FROM validation_results
JOIN files ON files.file_id = validation_results.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
    AND ($policy IS NULL OR validation_results.policy_id = $policy)
GROUP BY
    validation_results.policy_id, validation_results.policy_version, validation_results.rule_id, validation_results.severity
ORDER BY failed DESC, warned DESC, validation_results.policy_id, validation_results.policy_version, validation_results.rule_id
LIMIT $limit
