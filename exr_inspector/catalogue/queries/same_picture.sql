-- Question: Which files hold the same pixels as others?
-- Group: pixels
-- Asked by: render wranglers and data managers, for renders that changed nothing and frames that stand twice under other names
-- Nothing: no two files with the same pixels
-- Needs: digests
-- Note: one row for each two sequences, or files, of which one repeats the other, and for each sequence that repeats itself.
--   The file whose path sorts first counts as the picture, all others as repeats. Two files are the same where the digests of
--   all of their channels are; files that were sampled, or are not complete, are left out. Frames that are meant to be still,
--   such as a black leader, are listed too.
-- $show text = null: only this show; null asks all
-- $sequence text = null: only this sequence; null asks all
-- $shot text = null: only this shot; null asks all
-- $limit integer = 1000: rows at most
WITH hashed AS (
    SELECT file_id, count(*) AS channels, min(sample_hash) AS lowest, max(sample_hash) AS highest
    FROM pixel_stats
    WHERE sample_hash IS NOT NULL AND NOT is_sampled AND NOT is_partial
    GROUP BY file_id
),
present AS (
    SELECT
        files.file_id, files.file_path, files.show_name, files.shot_name, files.frame_number, files.size_bytes,
        coalesce(files.sequence_key, files.file_path) AS sequence_or_file,
        hashed.channels, hashed.lowest, hashed.highest
    FROM files
    JOIN hashed ON hashed.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND hashed.channels = files.channel_count
        AND ($show IS NULL OR files.show_name = $show) AND ($sequence IS NULL OR files.sequence_name = $sequence)
        AND ($shot IS NULL OR files.shot_name = $shot)
),
alike AS (
    SELECT channels, lowest, highest
    FROM present
    GROUP BY channels, lowest, highest
    HAVING count(*) > 1
),
candidates AS (
    SELECT present.file_id, present.file_path, present.channels, present.lowest, present.highest
    FROM present
    JOIN alike
        ON alike.channels = present.channels AND alike.lowest = present.lowest AND alike.highest = present.highest
),
samples AS (
    SELECT
        candidates.file_id, candidates.file_path, candidates.channels, candidates.lowest, candidates.highest,
        pixel_stats.part_index, pixel_stats.channel_name, pixel_stats.sample_hash
    FROM candidates
    JOIN pixel_stats ON pixel_stats.file_id = candidates.file_id
),
owners AS (
    SELECT lowest, highest, part_index, channel_name, sample_hash, min(file_path) AS owner
    FROM samples
    GROUP BY lowest, highest, part_index, channel_name, sample_hash
),
owned AS (
    SELECT
        samples.file_id, samples.file_path, samples.channels, samples.lowest, samples.highest,
        min(owners.owner) AS first_owner,
        max(owners.owner) AS last_owner
    FROM samples
    JOIN owners
        ON owners.lowest = samples.lowest AND owners.highest = samples.highest AND owners.part_index = samples.part_index
        AND owners.channel_name = samples.channel_name AND owners.sample_hash = samples.sample_hash
    GROUP BY samples.file_id, samples.file_path, samples.channels, samples.lowest, samples.highest
),
firsts AS (
    SELECT channels, lowest, highest, first_owner, last_owner, min(file_path) AS first_path
    FROM owned
    GROUP BY channels, lowest, highest, first_owner, last_owner
    HAVING count(*) > 1
),
paired AS (
    SELECT owned.file_id, owned.channels, pictures.file_id AS picture_id
    FROM owned
    JOIN firsts
        ON firsts.channels = owned.channels AND firsts.lowest = owned.lowest AND firsts.highest = owned.highest
        AND firsts.first_owner = owned.first_owner AND firsts.last_owner = owned.last_owner
    JOIN owned AS pictures ON pictures.file_path = firsts.first_path
    WHERE pictures.file_id <> owned.file_id
),
repeats AS (
    SELECT paired.file_id, paired.picture_id
    FROM paired
    JOIN samples ON samples.file_id = paired.file_id
    JOIN samples AS pictures
        ON pictures.file_id = paired.picture_id AND pictures.part_index = samples.part_index
        AND pictures.channel_name = samples.channel_name AND pictures.sample_hash = samples.sample_hash
    GROUP BY paired.file_id, paired.picture_id, paired.channels
    HAVING count(*) = paired.channels
)
SELECT
    present.show_name,
    present.shot_name,
    present.sequence_or_file,
    pictures.sequence_or_file AS same_as,
    count(*) AS file_count,
    min(present.frame_number) AS first_frame,
    max(present.frame_number) AS last_frame,
    min(pictures.frame_number) AS same_as_first_frame,
    max(pictures.frame_number) AS same_as_last_frame,
    CAST(sum(present.size_bytes) AS BIGINT) AS repeated_bytes
FROM repeats
JOIN present ON present.file_id = repeats.file_id
JOIN present AS pictures ON pictures.file_id = repeats.picture_id
GROUP BY present.show_name, present.shot_name, present.sequence_or_file, pictures.sequence_or_file
ORDER BY repeated_bytes DESC, present.sequence_or_file, pictures.sequence_or_file
LIMIT $limit
