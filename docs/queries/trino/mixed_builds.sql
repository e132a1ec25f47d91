-- Question: Which shots were rendered with several builds of one renderer?
-- Written by scripts/generate_trino_queries from the statement for VAST; its
-- parameters have their defaults here, and one that has none is written as <name>.
WITH named AS (
  SELECT
    files.show_name,
    files.sequence_name,
    files.shot_name,
    CASE
      WHEN parts.render_software LIKE 'Arnold%'
      THEN 'Arnold'
      WHEN parts.render_software LIKE 'Blender%'
      THEN 'Blender'
      WHEN parts.render_software LIKE 'Houdini%'
      THEN 'Houdini'
      WHEN parts.render_software LIKE 'Karma%'
      THEN 'Karma'
      WHEN parts.render_software LIKE 'Mantra%'
      THEN 'Mantra'
      WHEN parts.render_software LIKE 'Nuke%'
      THEN 'Nuke'
      WHEN parts.render_software LIKE 'Redshift%'
      THEN 'Redshift'
      WHEN parts.render_software LIKE 'RenderMan%'
      THEN 'RenderMan'
      WHEN parts.render_software LIKE 'Unreal%'
      THEN 'Unreal Engine'
      WHEN parts.render_software LIKE 'V-Ray%'
      THEN 'V-Ray'
      ELSE files.sequence_key
    END AS renderer,
    parts.render_software,
    files.frame_number
  FROM vast."exr-metadata|exr_inspector"."files"
  JOIN vast."exr-metadata|exr_inspector"."parts"
    ON parts.file_id = files.file_id
  WHERE
    files.is_current
    AND files.deleted_at IS NULL
    AND NOT files.shot_name IS NULL
    AND parts.part_index = 0
    AND NOT parts.render_software IS NULL
    AND TRUE
), built AS (
  SELECT
    show_name,
    sequence_name,
    shot_name,
    renderer,
    render_software,
    COUNT(*) AS file_count,
    MIN(frame_number) AS first_frame,
    MAX(frame_number) AS last_frame
  FROM named
  GROUP BY
    show_name,
    sequence_name,
    shot_name,
    renderer,
    render_software
), mixed AS (
  SELECT
    show_name,
    sequence_name,
    shot_name,
    renderer,
    COUNT(*) AS builds
  FROM built
  GROUP BY
    show_name,
    sequence_name,
    shot_name,
    renderer
  HAVING
    COUNT(*) > 1
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
  ON mixed.show_name = built.show_name
  AND COALESCE(mixed.sequence_name, '') = COALESCE(built.sequence_name, '')
  AND mixed.shot_name = built.shot_name
  AND mixed.renderer = built.renderer
ORDER BY
  built.show_name,
  built.sequence_name,
  built.shot_name,
  built.render_software
LIMIT 1000
