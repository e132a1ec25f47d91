"""The map of what was made alike: two coordinates for each file, and the groups of one setup with names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exr_inspector.catalogue.report.answers import Row
from exr_inspector.catalogue.report.problems import layer_of
from exr_inspector.payload.names import layer_key

SAME_SETUP = 0.05
"""Cosine distance of metadata_embedding below which two files have the same setup, as similar_renders says."""
APART = math.sqrt(2 * SAME_SETUP)
"""The same as a distance of unit vectors: the scale of the map."""
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
Matrix = np.ndarray[Any, Any]


def place_on_map(points: Sequence[Row], known: Mapping[str, list[float]]) -> Row:
    """The points with `x`, `y` and the number of their group, and the groups by number; `apart` is the map's scale."""
    shown = [_point(point) for point in points if point["file_id"] in known]
    if not shown:
        return {"points": [], "groups": [], "apart": APART}
    matrix = np.asarray([known[point["file_id"]] for point in shown])
    numbers = group(matrix)
    for point, (x, y), number in zip(shown, project(matrix, numbers), numbers, strict=True):
        point |= {"x": round(float(x), 4), "y": round(float(y), 4), "group": number}
    groups = name_groups(shown, numbers)
    return {"points": [_without_names(point) for point in shown], "groups": groups, "apart": APART}


def _point(row: Row) -> Row:
    key = row["sequence_key"] or row["file_path"]
    layer = row["layer_name"] or layer_of(layer_key(key, row["version"]), row["sequence"], row["shot"])
    kept = {name: row[name] for name in ("show", "sequence", "shot", "version", "file_id", "files", "faults", "software")}
    return kept | {"key": key, "layer": layer if row["shot"] else "files without a shot"}


def _without_names(point: Row) -> Row:
    return {name: value for name, value in point.items() if name != "software"}


def group(matrix: Matrix) -> list[int]:
    """A number for each row: rows within SAME_SETUP of the first row of a group belong to it; the largest group is 0."""
    numbers = np.full(len(matrix), -1)
    count = 0
    while (numbers < 0).any():
        first = int(np.argmax(numbers < 0))
        near = ((matrix - matrix[first]) ** 2).sum(axis=1) / 2 <= SAME_SETUP
        numbers[near & (numbers < 0)] = count
        count += 1
    order = [number for number, _ in Counter(numbers.tolist()).most_common()]
    places = {number: place for place, number in enumerate(order)}
    return [places[number] for number in numbers.tolist()]


def name_groups(points: Sequence[Row], numbers: Sequence[int]) -> list[Row]:
    """What most members of each group are: layer and renderer; the show as well where all are of one."""
    members: dict[int, list[Row]] = {}
    for point, number in zip(points, numbers, strict=True):
        members.setdefault(number, []).append(point)
    return [_group_row(members[number]) for number in sorted(members)]


def _group_row(members: Sequence[Row]) -> Row:
    words = [_most(members, "layer"), _most(members, "software")]
    shows = {member["show"] for member in members}
    name = ", ".join(word for word in words if word)
    centre = {axis: round(sum(member[axis] for member in members) / len(members), 4) for axis in ("x", "y")}
    return centre | {"name": name, "show": shows.pop() if len(shows) == 1 else None, "count": len(members)}


def _most(members: Sequence[Row], name: str) -> str:
    values = Counter(member[name] for member in members if member[name])
    return str(values.most_common(1)[0][0]) if values else ""


def project(matrix: Matrix, numbers: Sequence[int]) -> Matrix:
    """Rows of vectors -> two coordinates each, by principal components; equal rows are spread in a small spiral.

    Every group has the same weight, so that a thousand files of one setup do not turn the map to themselves.
    """
    weights = 1 / np.bincount(numbers)[list(numbers)]
    centred = matrix - np.average(matrix, axis=0, weights=weights)
    # The eigenvectors of the two largest eigenvalues, which come last; with few columns and many rows quicker than an SVD.
    axes = np.linalg.eigh((centred * weights[:, None]).T @ centred)[1][:, :-3:-1].T
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    places: Matrix = centred @ (axes * np.where(signs == 0, 1, signs)[:, None]).T
    _, group = np.unique(places.round(3), axis=0, return_inverse=True)
    seen: dict[int, int] = {}
    for at, number in enumerate(group.reshape(-1).tolist()):
        turn = seen[number] = seen.get(number, -1) + 1
        places[at] += 0.004 * math.sqrt(turn) * np.array([math.cos(turn * GOLDEN_ANGLE), math.sin(turn * GOLDEN_ANGLE)])
    return places
