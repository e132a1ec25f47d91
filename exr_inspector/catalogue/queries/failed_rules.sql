-- Question: Which frames break which rule, and what mends them?
-- Group: delivery
-- Asked by: render wranglers and delivery coordinators, who send a shot back with the reason
-- Nothing: no broken rules
-- Needs: findings
-- Note: one row for each sequence, policy and rule, and for each run of neighbouring frames that break it. Files that no policy has
--   judged are not listed; validation_by_policy has the rules that are kept.
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
),
framed AS (
    SELECT
        files.file_id, files.file_path, files.show_name, files.sequence_name, files.shot_name, files.frame_number,
        coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
        broken.policy_id, broken.rule_id, broken.status, broken.status_code, broken.message, broken.suggested_fix
    FROM broken
    JOIN files ON files.file_id = broken.file_id
    WHERE files.is_current AND files.deleted_at IS NULL
        AND ($show IS NULL OR files.show_name = $show) AND ($shot IS NULL OR files.shot_name = $shot)
),
starts AS (
    SELECT framed.sequence_or_file, framed.policy_id, framed.rule_id, framed.status, framed.frame_number
    FROM framed
    LEFT JOIN framed AS earlier
        ON earlier.sequence_or_file = framed.sequence_or_file AND earlier.policy_id = framed.policy_id
        AND earlier.rule_id = framed.rule_id AND earlier.status = framed.status
        AND earlier.frame_number = framed.frame_number - 1
    WHERE earlier.frame_number IS NULL
    GROUP BY framed.sequence_or_file, framed.policy_id, framed.rule_id, framed.status, framed.frame_number
),
runs AS (
    SELECT framed.file_id, framed.policy_id, framed.rule_id, framed.status, max(starts.frame_number) AS first_frame
    FROM framed
    JOIN starts
        ON starts.sequence_or_file = framed.sequence_or_file AND starts.policy_id = framed.policy_id
        AND starts.rule_id = framed.rule_id AND starts.status = framed.status AND starts.frame_number <= framed.frame_number
    GROUP BY framed.file_id, framed.policy_id, framed.rule_id, framed.status
)
SELECT
    framed.show_name,
    framed.sequence_name,
    framed.shot_name,
    framed.sequence_or_file,
    framed.policy_id,
    framed.rule_id,
    framed.status,
    min(framed.status_code) AS status_code,
    count(*) AS file_count,
    min(framed.frame_number) AS first_frame,
    max(framed.frame_number) AS last_frame,
    min(framed.message) AS example,
    min(framed.suggested_fix) AS suggested_fix,
    min(framed.file_path) AS first_path
FROM framed
LEFT JOIN runs
    ON runs.file_id = framed.file_id AND runs.policy_id = framed.policy_id AND runs.rule_id = framed.rule_id
    AND runs.status = framed.status
GROUP BY
    framed.show_name, framed.sequence_name, framed.shot_name, framed.sequence_or_file, framed.policy_id, framed.rule_id,
    framed.status, runs.first_frame
ORDER BY framed.status, framed.sequence_or_file, framed.policy_id, framed.rule_id, framed.shot_name, first_frame
LIMIT $limit
