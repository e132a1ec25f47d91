-- Question: Which frames break which rule, and what mends them?
-- Group: delivery
-- Asked by: render wranglers and delivery coordinators, who send a shot back with the reason
-- Nothing: no broken rules
-- Needs: findings
-- Note: one row for each sequence, policy and rule. Files that no policy has judged are not listed; validation_by_policy has the
--   rules that are kept.
-- $policy text = null: only this policy; null asks all
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $warnings integer = 0: 1 lists warnings as well
-- $limit integer = 1000: rows at most
WITH broken AS (
    SELECT
        file_id, policy_id, rule_id, status,
        min(status_code) AS status_code,
        min(message) AS message,
        min(suggested_fix) AS suggested_fix
    FROM validation_results
    WHERE (status = 'FAIL' OR status = 'WARN' AND $warnings = 1) AND ($policy IS NULL OR policy_id = $policy)
    GROUP BY file_id, policy_id, rule_id, status
)
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    broken.policy_id,
    broken.rule_id,
    broken.status,
    min(broken.status_code) AS status_code,
    count(*) AS file_count,
    min(files.frame_number) AS first_frame,
    max(files.frame_number) AS last_frame,
    min(broken.message) AS example,
    min(broken.suggested_fix) AS suggested_fix,
    min(files.file_path) AS first_path
FROM broken
JOIN files ON files.file_id = broken.file_id
WHERE files.is_current AND files.deleted_at IS NULL
    AND ($show IS NULL OR files.show_name = $show) AND ($shot IS NULL OR files.shot_name = $shot)
GROUP BY
    files.show_name, files.sequence_name, files.shot_name, coalesce(files.sequence_key, files.file_path), broken.policy_id,
    broken.rule_id, broken.status
ORDER BY broken.status, sequence_or_file, broken.policy_id, broken.rule_id, files.shot_name
LIMIT $limit
