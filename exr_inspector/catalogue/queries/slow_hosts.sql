-- Question: Which machines are slower than others in a shot?
-- Group: cost
-- Asked by: render wranglers and systems
-- Nothing: no slow machine
-- Note: a machine's frames are compared with those of other machines in the same sequences of frames, by the same renderer, so
--   that heavy shots do not count against it.
-- $factor number = 1.5: how many times as long as the others
-- $least integer = 3: frames at least
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH timed AS (
    SELECT files.show_name, files.sequence_name, files.shot_name, files.sequence_key,
        parts.render_product, parts.host, parts.render_seconds
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.sequence_key IS NOT NULL
        AND parts.part_index = 0 AND parts.host IS NOT NULL AND parts.render_seconds > 0
        AND ($show IS NULL OR files.show_name = $show)
),
by_host AS (
    SELECT show_name, sequence_name, shot_name, sequence_key, render_product, host, count(*) AS frames,
        sum(render_seconds) AS seconds
    FROM timed
    GROUP BY show_name, sequence_name, shot_name, sequence_key, render_product, host
),
by_sequence AS (
    SELECT sequence_key, render_product, sum(frames) AS frames, sum(seconds) AS seconds
    FROM by_host
    GROUP BY sequence_key, render_product
),
compared AS (
    SELECT
        by_host.show_name,
        by_host.sequence_name,
        by_host.shot_name,
        by_host.render_product,
        by_host.host,
        by_host.frames,
        by_host.seconds,
        by_host.frames * (by_sequence.seconds - by_host.seconds) / (by_sequence.frames - by_host.frames) AS usual_seconds
    FROM by_host
    JOIN by_sequence ON by_sequence.sequence_key = by_host.sequence_key
        AND coalesce(by_sequence.render_product, '') = coalesce(by_host.render_product, '')
    WHERE by_sequence.frames > by_host.frames
)
SELECT
    show_name,
    sequence_name,
    shot_name,
    render_product,
    host,
    CAST(sum(frames) AS BIGINT) AS frame_count,
    sum(seconds) / sum(frames) AS seconds_a_frame,
    sum(usual_seconds) / sum(frames) AS usual_seconds,
    sum(seconds) / sum(usual_seconds) AS times_usual
FROM compared
GROUP BY show_name, sequence_name, shot_name, render_product, host
HAVING sum(frames) >= $least AND sum(seconds) > $factor * sum(usual_seconds)
ORDER BY times_usual DESC, show_name, sequence_name, shot_name, render_product, host
LIMIT $limit
