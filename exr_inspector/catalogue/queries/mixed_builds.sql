-- Question: Which shots mix builds of one renderer?
-- Group: versions
-- Asked by: lighting TDs and render wranglers; builds differ in noise, in sampling and in bugs
-- Nothing: no shot with several builds of a renderer
-- Note: a build is what the header gives as the version of the product that made the picture.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH named AS (
    SELECT
        files.show_name,
        files.sequence_name,
        files.shot_name,
        parts.render_product,
        coalesce(parts.render_software_version, parts.render_software) AS build,
        files.frame_number
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.shot_name IS NOT NULL
        AND parts.part_index = 0 AND parts.render_product IS NOT NULL
        AND coalesce(parts.render_software_version, parts.render_software) IS NOT NULL AND ($show IS NULL OR files.show_name = $show)
),
built AS (
    SELECT
        show_name, sequence_name, shot_name, render_product, build,
        count(*) AS file_count,
        min(frame_number) AS first_frame,
        max(frame_number) AS last_frame
    FROM named
    GROUP BY show_name, sequence_name, shot_name, render_product, build
),
mixed AS (
    SELECT show_name, sequence_name, shot_name, render_product, count(*) AS builds
    FROM built
    GROUP BY show_name, sequence_name, shot_name, render_product
    HAVING count(*) > 1
)
SELECT
    built.show_name,
    built.sequence_name,
    built.shot_name,
    built.render_product,
    built.build,
    built.file_count,
    built.first_frame,
    built.last_frame
FROM built
JOIN mixed
    ON mixed.show_name = built.show_name AND coalesce(mixed.sequence_name, '') = coalesce(built.sequence_name, '')
    AND mixed.shot_name = built.shot_name AND mixed.render_product = built.render_product
ORDER BY built.show_name, built.sequence_name, built.shot_name, built.render_product, built.build
LIMIT $limit
