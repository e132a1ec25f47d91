-- Question: What did inspections warn of?
-- Group: broken
-- Asked by: render wranglers and pipeline TDs, also of files that no policy has judged
-- Nothing: no inspection had an error or a warning[ with $code in its code]
-- Note: one row for each sequence and for what was found in it together. `exr-inspector doctor --explain CODE` says what a code
--   means, and the whole text is in the file's payload: `exr-inspector inspect` shows it.
-- $code text = null: only findings whose code has this in it, such as cryptomatte; null asks all
-- $show text = null: only this show; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
SELECT
    show_name,
    sequence_name,
    shot_name,
    coalesce(sequence_key, file_path) AS sequence_or_file,
    finding_codes,
    count(*) AS file_count,
    min(frame_number) AS first_frame,
    max(frame_number) AS last_frame,
    min(file_path) AS first_path
FROM files
WHERE is_current AND deleted_at IS NULL AND finding_codes IS NOT NULL
    AND ($code IS NULL OR finding_codes LIKE '%' || $code || '%')
    AND ($show IS NULL OR show_name = $show) AND ($shot IS NULL OR shot_name = $shot)
GROUP BY show_name, sequence_name, shot_name, coalesce(sequence_key, file_path), finding_codes
ORDER BY sequence_or_file, finding_codes, show_name, sequence_name, shot_name
LIMIT $limit
