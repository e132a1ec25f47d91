-- Question: Which shots have files that would fail delivery?
-- Group: delivery
-- Asked by: delivery coordinators, shot by shot
-- Nothing: no shot with a broken rule
-- Needs: findings
-- $policy text = null: only this policy; null asks all
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH judged AS (
    SELECT
        file_id,
        max(CASE WHEN status = 'FAIL' THEN 1 ELSE 0 END) AS has_failed,
        max(CASE WHEN status = 'WARN' THEN 1 ELSE 0 END) AS has_warned,
        sum(CASE WHEN status = 'FAIL' THEN 1 ELSE 0 END) AS failures,
        min(CASE WHEN status = 'FAIL' THEN rule_id ELSE NULL END) AS failed_rule
    FROM validation_results
    WHERE ($policy IS NULL OR policy_id = $policy)
    GROUP BY file_id
)
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    count(*) AS files_judged,
    CAST(sum(judged.has_failed) AS BIGINT) AS files_failed,
    CAST(sum(judged.has_warned) AS BIGINT) AS files_warned,
    CAST(sum(judged.failures) AS BIGINT) AS failures,
    min(judged.failed_rule) AS a_failed_rule
FROM judged
JOIN files ON files.file_id = judged.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, files.sequence_name, files.shot_name
HAVING sum(judged.has_failed) + sum(judged.has_warned) > 0
ORDER BY files_failed DESC, files_warned DESC, files.show_name, files.sequence_name, files.shot_name
LIMIT $limit
