-- Question: Which frames break which rule, and what mends them?
-- Group: delivery
-- Asked by: render wranglers and delivery coordinators, who send a shot back with the reason
-- Nothing: nothing that was judged breaks a rule
-- Note: one row for each sequence, policy and rule. Files that no policy has judged are not listed; validation_by_policy has the
--   rules that are kept.
-- $policy text = null: only this policy; null asks all
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $warnings integer = 0: 1 lists warnings as well
-- $limit integer = 1000: rows at most
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    validation_results.policy_id,
    validation_results.rule_id,
    validation_results.status,
    min(validation_results.status_code) AS status_code,
    count(DISTINCT files.file_id) AS file_count,
    min(files.frame_number) AS first_frame,
    max(files.frame_number) AS last_frame,
    min(validation_results.message) AS example,
    min(validation_results.suggested_fix) AS suggested_fix,
    min(files.file_path) AS first_path
FROM validation_results
JOIN files ON files.file_id = validation_results.file_id
WHERE files.is_current AND files.deleted_at IS NULL
    AND (validation_results.status = 'FAIL' OR validation_results.status = 'WARN' AND $warnings = 1)
    AND ($policy IS NULL OR validation_results.policy_id = $policy)
    AND ($show IS NULL OR files.show_name = $show) AND ($shot IS NULL OR files.shot_name = $shot)
GROUP BY
    files.show_name, files.sequence_name, files.shot_name, coalesce(files.sequence_key, files.file_path),
    validation_results.policy_id, validation_results.rule_id, validation_results.status
ORDER BY validation_results.status, sequence_or_file, validation_results.policy_id, validation_results.rule_id
LIMIT $limit
