-- Question: Which files have these channels?
-- Group: similar
-- Asked by: compositors and pipeline TDs who need, say, every render with depth, normals and motion
-- Nothing: no file has the channel or layer $channel[ and $and_channel][ and $and_also]
-- Note: up to three channels or whole layers; a file is listed when it has all that are given. One row per sequence.
-- $channel text = 'Z': a channel by its full name, such as Z or diffuse.R, or a layer, such as diffuse
-- $and_channel text = null: another one
-- $and_also text = null: a third one
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH named AS (
    SELECT
        file_id,
        max(CASE WHEN channel_name = $channel OR layer_name = $channel THEN 1 ELSE 0 END) AS has_first,
        max(CASE WHEN channel_name = $and_channel OR layer_name = $and_channel THEN 1 ELSE 0 END) AS has_second,
        max(CASE WHEN channel_name = $and_also OR layer_name = $and_also THEN 1 ELSE 0 END) AS has_third,
        count(*) AS channels
    FROM channels
    GROUP BY file_id
)
SELECT
    files.show_name,
    files.shot_name,
    coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
    count(*) AS file_count,
    min(named.channels) AS fewest_channels,
    max(named.channels) AS most_channels
FROM files
JOIN named ON named.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL AND ($show IS NULL OR files.show_name = $show)
    AND named.has_first = 1
    AND ($and_channel IS NULL OR named.has_second = 1)
    AND ($and_also IS NULL OR named.has_third = 1)
GROUP BY files.show_name, files.shot_name, coalesce(files.sequence_key, files.file_path)
ORDER BY files.show_name, files.shot_name, sequence_or_file
LIMIT $limit
