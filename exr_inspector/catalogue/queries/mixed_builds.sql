-- Question: Which shots were rendered with several builds of one renderer?
-- Asked by: lighting TDs and render wranglers; builds differ in noise, in sampling and in bugs
-- Note: renderers are told apart by how their name begins; one that is not in the list is compared within a pass alone.
-- $show text = null: only this show; null asks all
-- $limit integer = 1000: rows at most
WITH named AS (
    SELECT
        files.show_name,
        files.sequence_name,
        files.shot_name,
        CASE
            WHEN parts.render_software LIKE 'Arnold%' THEN 'Arnold'
            WHEN parts.render_software LIKE 'Blender%' THEN 'Blender'
            WHEN parts.render_software LIKE 'Houdini%' THEN 'Houdini'
            WHEN parts.render_software LIKE 'Karma%' THEN 'Karma'
            WHEN parts.render_software LIKE 'Mantra%' THEN 'Mantra'
            WHEN parts.render_software LIKE 'Nuke%' THEN 'Nuke'
            WHEN parts.render_software LIKE 'Redshift%' THEN 'Redshift'
            WHEN parts.render_software LIKE 'RenderMan%' THEN 'RenderMan'
            WHEN parts.render_software LIKE 'Unreal%' THEN 'Unreal Engine'
            WHEN parts.render_software LIKE 'V-Ray%' THEN 'V-Ray'
            ELSE files.sequence_key
        END AS renderer,
        parts.render_software,
        files.frame_number
    FROM files
    JOIN parts ON parts.file_id = files.file_id
    WHERE files.is_current AND files.deleted_at IS NULL AND files.shot_name IS NOT NULL
        AND parts.part_index = 0 AND parts.render_software IS NOT NULL AND ($show IS NULL OR files.show_name = $show)
),
built AS (
    SELECT
        show_name, sequence_name, shot_name, renderer, render_software,
        count(*) AS file_count,
        min(frame_number) AS first_frame,
        max(frame_number) AS last_frame
    FROM named
    GROUP BY show_name, sequence_name, shot_name, renderer, render_software
),
mixed AS (
    SELECT show_name, sequence_name, shot_name, renderer, count(*) AS builds
    FROM built
    GROUP BY show_name, sequence_name, shot_name, renderer
    HAVING count(*) > 1
)
SELECT
    built.show_name,
    built.sequence_name,
    built.shot_name,
    built.render_software,
    built.file_count,
    built.first_frame,
    built.last_frame
FROM built
JOIN mixed
    ON mixed.show_name = built.show_name AND coalesce(mixed.sequence_name, '') = coalesce(built.sequence_name, '')
    AND mixed.shot_name = built.shot_name AND mixed.renderer = built.renderer
ORDER BY built.show_name, built.sequence_name, built.shot_name, built.render_software
LIMIT $limit
