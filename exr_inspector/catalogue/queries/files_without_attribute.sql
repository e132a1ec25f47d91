-- Question: Which sequences lack an attribute?
-- Group: attributes
-- Asked by: pipeline TDs who rely on a header, and whoever fixes the template that does not write it
-- Nothing: no file lacks the attribute $name
-- Note: unreadable files have no attributes and are left out. Stills stand for themselves.
-- $name text = 'artist': the attribute, as it is spelled in the header
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH named AS (
    SELECT file_id
    FROM attributes
    WHERE attr_name = $name
    GROUP BY file_id
)
SELECT
    files.show_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    count(*) AS file_count,
    count(*) - count(named.file_id) AS without_attribute
FROM files
LEFT JOIN named ON named.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND files.status <> 'unreadable'
    AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, files.shot_name, coalesce(files.sequence_key, files.file_path)
HAVING count(*) > count(named.file_id)
ORDER BY files.show_name, files.shot_name, sequence_or_file
LIMIT $limit
