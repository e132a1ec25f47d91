-- Question: At which frames does the brightness jump?
-- Group: pixels
-- Asked by: lighters and compositors; a light that is missing in one frame shows in motion, not in a still
-- Nothing: no jumps of brightness[ of the channel $channel]
-- Needs: statistics
-- Note: a step is the difference of a channel's mean between two neighbouring frames. It is a jump where it is more than
--   $factor times the average step of the channel in that sequence, itself and the steps beside it left out, and more than
--   $share of either mean. A channel needs four other steps. returns says whether the next frame goes back at least half of the
--   way; the way back is not listed again. One row for each frame and part, with the number of its channels that jump and the
--   means of the first of them by name. A sequence that flickers in all of its frames has no quiet steps to compare with.
-- $factor number = 5: how many times the usual step
-- $share number = 0.1: least step as a share of the means
-- $channel text = null: only this channel by its full name, such as R; null asks all
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH present AS (
    SELECT sequence_key, frame_number, min(file_id) AS file_id
    FROM files
    WHERE is_current AND deleted_at IS NULL AND sequence_key IS NOT NULL AND frame_number IS NOT NULL
        AND ($show IS NULL OR show_name = $show) AND ($sequence IS NULL OR sequence_name = $sequence)
        AND ($shot IS NULL OR shot_name = $shot)
    GROUP BY sequence_key, frame_number
),
neighbours AS (
    SELECT earlier.sequence_key, later.frame_number, earlier.file_id AS earlier_id, later.file_id AS later_id
    FROM present AS earlier
    JOIN present AS later
        ON later.sequence_key = earlier.sequence_key AND later.frame_number = earlier.frame_number + 1
),
means AS (
    SELECT file_id, part_index, channel_name, mean_value
    FROM pixel_stats
    WHERE mean_value IS NOT NULL AND ($channel IS NULL OR channel_name = $channel)
),
restless AS (
    SELECT neighbours.sequence_key
    FROM neighbours
    JOIN means AS earlier ON earlier.file_id = neighbours.earlier_id
    JOIN means AS later
        ON later.file_id = neighbours.later_id AND later.part_index = earlier.part_index
        AND later.channel_name = earlier.channel_name
    WHERE later.mean_value - earlier.mean_value > $share * later.mean_value
            AND later.mean_value - earlier.mean_value > -$share * earlier.mean_value
        OR earlier.mean_value - later.mean_value > $share * earlier.mean_value
            AND earlier.mean_value - later.mean_value > -$share * later.mean_value
    GROUP BY neighbours.sequence_key
),
candidates AS (
    SELECT present.sequence_key, present.frame_number, means.part_index, means.channel_name, means.mean_value
    FROM present
    JOIN restless ON restless.sequence_key = present.sequence_key
    JOIN means ON means.file_id = present.file_id
),
steps AS (
    SELECT
        later.sequence_key, later.frame_number, later.part_index, later.channel_name,
        earlier.mean_value AS mean_before, later.mean_value AS mean_value,
        CASE WHEN later.mean_value < earlier.mean_value THEN earlier.mean_value - later.mean_value
            ELSE later.mean_value - earlier.mean_value END AS step
    FROM candidates AS earlier
    JOIN candidates AS later
        ON later.sequence_key = earlier.sequence_key AND later.frame_number = earlier.frame_number + 1
        AND later.part_index = earlier.part_index AND later.channel_name = earlier.channel_name
),
totals AS (
    SELECT sequence_key, part_index, channel_name, count(*) AS steps, sum(step) AS total
    FROM steps
    GROUP BY sequence_key, part_index, channel_name
),
large AS (
    SELECT sequence_key, frame_number, part_index, channel_name, mean_before, mean_value, step
    FROM steps
    WHERE step > $share * mean_before AND step > $share * mean_value
        AND step > -$share * mean_before AND step > -$share * mean_value
),
compared AS (
    SELECT
        large.sequence_key, large.frame_number, large.part_index, large.channel_name, large.mean_before, large.mean_value,
        large.step,
        following.mean_value AS mean_after,
        following.mean_value - large.mean_before AS left_after,
        preceding.step AS step_before,
        large.mean_value - preceding.mean_before AS left_before,
        totals.steps - 1 - CASE WHEN following.step IS NULL THEN 0 ELSE 1 END
            - CASE WHEN preceding.step IS NULL THEN 0 ELSE 1 END AS others,
        totals.total - large.step - coalesce(following.step, 0) - coalesce(preceding.step, 0) AS total_of_others
    FROM large
    JOIN totals
        ON totals.sequence_key = large.sequence_key AND totals.part_index = large.part_index
        AND totals.channel_name = large.channel_name
    LEFT JOIN steps AS following
        ON following.sequence_key = large.sequence_key AND following.part_index = large.part_index
        AND following.channel_name = large.channel_name AND following.frame_number = large.frame_number + 1
    LEFT JOIN steps AS preceding
        ON preceding.sequence_key = large.sequence_key AND preceding.part_index = large.part_index
        AND preceding.channel_name = large.channel_name AND preceding.frame_number = large.frame_number - 1
),
jumps AS (
    SELECT
        sequence_key, frame_number, part_index, channel_name, mean_before, mean_value, mean_after,
        CASE WHEN mean_after IS NULL THEN NULL
            WHEN left_after * 2 < step AND left_after * -2 < step THEN 'back'
            ELSE 'stays' END AS returns
    FROM compared
    WHERE others >= 4 AND step * others > $factor * total_of_others
        AND (step_before IS NULL OR left_before * 2 >= step_before OR left_before * -2 >= step_before)
),
frames AS (
    SELECT sequence_key, frame_number, part_index, count(*) AS channel_count, min(channel_name) AS channel_name
    FROM jumps
    GROUP BY sequence_key, frame_number, part_index
)
SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    frames.sequence_key,
    frames.frame_number,
    frames.part_index,
    frames.channel_count,
    frames.channel_name,
    min(jumps.mean_before) AS mean_before,
    min(jumps.mean_value) AS mean_value,
    min(jumps.mean_after) AS mean_after,
    min(jumps.returns) AS returns,
    min(files.file_path) AS file_path
FROM frames
JOIN jumps
    ON jumps.sequence_key = frames.sequence_key AND jumps.frame_number = frames.frame_number
    AND jumps.part_index = frames.part_index AND jumps.channel_name = frames.channel_name
JOIN files ON files.sequence_key = frames.sequence_key AND files.frame_number = frames.frame_number
WHERE files.is_current AND files.deleted_at IS NULL
GROUP BY
    files.show_name, files.sequence_name, files.shot_name, frames.sequence_key, frames.frame_number, frames.part_index,
    frames.channel_count, frames.channel_name
ORDER BY frames.sequence_key, frames.frame_number, frames.part_index, files.shot_name
LIMIT $limit
