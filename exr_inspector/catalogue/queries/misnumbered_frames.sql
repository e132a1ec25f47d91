-- Question: Which frames have another number in the header?
-- Group: broken
-- Asked by: compositors and editors, after frames were renamed, shifted or delivered from another range
-- Nothing: every header has the frame number of its file name
-- Note: one row for each sequence and difference. A whole sequence with one difference was renumbered, or rendered from a scene
--   that counts otherwise; single frames with a difference of their own were renamed or copied over one another.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH numbered AS (
    SELECT
        files.show_name, files.sequence_name, files.shot_name, files.sequence_key, files.frame_number,
        parts.header_frame - files.frame_number AS difference
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.frame_number IS NOT NULL
        AND parts.part_index = 0 AND parts.header_frame IS NOT NULL AND ($show IS NULL OR files.show_name = $show)
),
sizes AS (
    SELECT sequence_key, count(*) AS frames
    FROM numbered
    GROUP BY sequence_key
)
SELECT
    numbered.show_name,
    numbered.sequence_name,
    numbered.shot_name,
    numbered.sequence_key,
    numbered.difference,
    count(*) AS frame_count,
    sizes.frames AS frames_of_sequence,
    min(numbered.frame_number) AS first_frame,
    max(numbered.frame_number) AS last_frame
FROM numbered
JOIN sizes ON sizes.sequence_key = numbered.sequence_key
WHERE numbered.difference <> 0
GROUP BY
    numbered.show_name, numbered.sequence_name, numbered.shot_name, numbered.sequence_key, numbered.difference, sizes.frames
ORDER BY numbered.show_name, numbered.sequence_name, numbered.shot_name, numbered.sequence_key, numbered.difference
LIMIT $limit
