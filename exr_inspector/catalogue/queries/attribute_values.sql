-- Question: Which values does an attribute have?
-- Group: attributes
-- Asked by: anyone who looks for renders by what the renderer wrote into them
-- Nothing: no file has the attribute $name[ with the text $value]
-- Note: such as camera, artist, software or render time. Text values are listed one by one, with their
--   shots; of numbers the smallest, the average and the largest.
-- $name text = 'artist': the attribute, as it is spelled in the header
-- $value text = null: only this text; null asks all
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
SELECT
    files.show_name,
    files.shot_name,
    attributes.value_text,
    count(*) AS occurrences,
    min(attributes.value_float) AS smallest,
    avg(attributes.value_float) AS average,
    max(attributes.value_float) AS largest
FROM attributes
JOIN files ON files.file_id = attributes.file_id
WHERE attributes.attr_name = $name AND ($value IS NULL OR attributes.value_text = $value)
    AND files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
GROUP BY files.show_name, files.shot_name, attributes.value_text
ORDER BY files.show_name, files.shot_name, attributes.value_text
LIMIT $limit
