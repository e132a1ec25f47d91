"""The table of benchmarks/vectors/README.md: what the two vectors find, beside three baselines.

scripts/python -m benchmarks.vectors.run [--seeds 3] [--shows 5] [--frames 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.vectors import baselines, edits, measures
from benchmarks.vectors.shows import Payload, Setup, Show
from exr_inspector.embedding.vectors import compute_channel_fingerprint, compute_metadata_embedding

Vector = Callable[[Payload], list[float]]
Edits = tuple[Callable[[dict[str, Any], random.Random], None], ...]


def channel_fingerprint(payload: Payload) -> list[float]:
    """The fingerprint of a payload's channels."""
    return compute_channel_fingerprint(payload["channels"])


METHODS: dict[str, Vector] = {
    "hash": baselines.hash_vector,
    "naive": baselines.naive_vector,
    "learned": baselines.learned_vector,
    "embedding": compute_metadata_embedding,
    "fingerprint": channel_fingerprint,
}
FRAMES_FROM = 1001


class World:
    """All frames of all setups of some shows, and the draws for the edits."""

    def __init__(self, seed: int, shows: int, frames: int) -> None:
        self.seed, self.frames = seed, frames
        self.shows = [Show(seed, number) for number in range(shows)]
        self.setups = [(show, setup) for show in self.shows for setup in show.setups()]
        self.stored = [(setup, show.frame(setup, FRAMES_FROM + at)) for show, setup in self.setups for at in range(frames)]

    def draw(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}")


def vectors(vector: Vector, payloads: list[Payload]) -> np.ndarray:
    """One row per payload."""
    return np.array([vector(payload) for payload in payloads])


def retrieval(world: World, vector: Vector) -> dict[str, float]:
    """Frames of the same setup, the same setup in another shot, and both together as graded relevance."""
    setups = [setup for setup, _ in world.stored]
    stored = vectors(vector, [payload for _, payload in world.stored])
    grades = np.array([[_grade(a, b) for b in setups] for a in setups])
    others = ~np.eye(len(setups), dtype=bool)
    distances = measures.cosine_distances(stored, stored)
    not_own_shot = grades < 3
    pairs = np.triu(others)
    return {
        "frame mAP": measures.mean_average_precision(distances, grades == 3, others),
        "shot mAP": measures.mean_average_precision(distances, grades == 2, not_own_shot),
        "shot recall@10": measures.recall_at(distances, grades == 2, 10, not_own_shot),
        "nDCG@10": measures.ndcg(distances, grades, 10, others),
        "pair AUROC": measures.auroc(distances[pairs & (grades < 2)], distances[pairs & (grades == 3)]),
        "same setup p95": float(np.percentile(distances[pairs & (grades == 3)], 95)),
        "different setup p1": float(np.percentile(distances[pairs & (grades < 2)], 1)),
    }


def _grade(a: Setup, b: Setup) -> int:
    """3 the same setup, 2 another shot of it, 1 the same show and renderer, 0 none of these."""
    if a.family == b.family and a.recipe == b.recipe:  # two shots made alike are one setup
        return 3
    return (a.family == b.family) * 1 + ((a.show, a.renderer) == (b.show, b.renderer)) * 1


def query_edits(world: World, vector: Vector) -> dict[str, float]:
    """Files with one AOV more, or with every layer renamed: is the original setup found?"""
    stored = vectors(vector, [payload for _, payload in world.stored])
    results = {}
    for name, edit in (("AOV added", edits.add_layer), ("renamed", edits.rename_layers)):
        draw = world.draw(name)
        asked = [(setup, show.frame(edit(setup, draw), FRAMES_FROM + 500)) for show, setup in world.setups if _has_layers(setup)]
        distances = measures.cosine_distances(vectors(vector, [payload for _, payload in asked]), stored)
        relevant = np.array([[setup.family == other.family for other, _ in world.stored] for setup, _ in asked])
        results[f"{name} mAP"] = measures.mean_average_precision(distances, relevant)
        results[f"{name} recall@10"] = measures.recall_at(distances, relevant, 10)
    return results


def _has_layers(setup: Setup) -> bool:
    return len(setup.recipe["layers"]) > 1


def chains(world: World, vector: Vector, pool: Edits = edits.ALL) -> dict[str, float]:
    """Does the distance grow with the number of edits? Within a chain, and over all chains together."""
    draw = world.draw("chains")
    rows, counts, own = [], [], []
    for show, setup in draw.sample(world.setups, 60):
        order = draw.choices(pool, k=8) if len(pool) < 8 else draw.sample(pool, 8)
        states = [show.frame(edits.apply_edits(setup, order[:n], random.Random(world.seed)), FRAMES_FROM) for n in range(9)]
        made = vectors(vector, states)
        distances = measures.cosine_distances(made[:1], made[1:])[0]
        own.append(measures.spearman(np.arange(8), distances))
        rows.append(distances)
        counts.append(np.arange(8))
    return {
        "monotonic, chains": float(np.mean(own)),
        "monotonic, pooled": measures.spearman(np.concatenate(counts), np.concatenate(rows)),
    }


def severity(world: World, vector: Vector) -> dict[str, float]:
    """A graver edit moves a file further: the share of ordered pairs. And single edits that do not move it at all."""
    draw = world.draw("severity")
    right, all_pairs, still, edits_made = 0.0, 0, 0, 0
    for show, setup in draw.sample(world.setups, 60):
        start = vectors(vector, [show.frame(setup, FRAMES_FROM)])
        moved = {}
        for grade, group in edits.BY_SEVERITY.items():
            states = [show.frame(edits.apply_edits(setup, [edit], draw), FRAMES_FROM) for edit in group]
            moved[grade] = measures.cosine_distances(start, vectors(vector, states))[0]
            still += int((np.abs(moved[grade]) < 1e-9).sum())
            edits_made += len(group)
        low, high = moved[1], moved[3]
        right += float((low[:, None] < high[None, :]).sum())
        all_pairs += low.size * high.size
    return {"severity order": right / all_pairs, "unmoved by an edit": still / edits_made}


def anomalies(world: World, vector: Vector, pool: Edits = edits.SETTINGS + edits.KINDS, length: int = 12) -> dict[str, float]:
    """One odd frame in a sequence: its mean distance to the others against theirs, and whether it comes first."""
    draw = world.draw("anomalies")
    odd_scores, even_scores, first, own, steps = [], [], [], [], []
    for show, setup in draw.sample(world.setups, 60):
        odd = draw.randrange(length)
        other = edits.apply_edits(setup, [draw.choice(pool)], draw)
        frames = [show.frame(other if at == odd else setup, FRAMES_FROM + at) for at in range(length)]
        made = vectors(vector, frames)
        scores = np.median(measures.cosine_distances(made, made), axis=1)
        rest = np.delete(scores, odd)
        odd_scores.append(scores[odd])
        even_scores.append(rest)
        own.append(measures.auroc(scores[odd : odd + 1], rest))
        first.append(float(scores[odd] > rest.max()))
        clean = np.delete(made, odd, axis=0)
        steps.append(np.median(np.diag(measures.cosine_distances(clean[:-1], clean[1:]))))
    return {
        "anomaly AUROC": measures.auroc(np.array(odd_scores), np.concatenate(even_scores)),
        "anomaly AUROC in its sequence": float(np.mean(own)),
        "anomaly found first": float(np.mean(first)),
        "next frame": float(np.median(steps)),
    }


def contract(world: World, vector: Vector) -> dict[str, float]:
    """Distance after a change of path, time, size and frame number, and vectors that are no vectors."""
    draw = world.draw("contract")
    chosen = draw.sample(world.stored, 80)
    moved = [{**payload, "file": {"path": f"/other/{at}.exr", "frame_number": at}} for at, (_, payload) in enumerate(chosen)]
    made, again = vectors(vector, [payload for _, payload in chosen]), vectors(vector, moved)
    lengths = np.linalg.norm(made, axis=1)
    return {
        "volatile distance": float(np.nan_to_num(((made - again) ** 2).sum(axis=1) / 2, nan=2.0).max()),
        "no vector": float((~np.isfinite(made).all(axis=1) | (np.nan_to_num(lengths) == 0)).mean()),
    }


def overlap(world: World, vector: Vector) -> dict[str, float]:
    """Does the distance follow the overlap (Jaccard) of channel names? Over files of one renderer, and over all pairs."""
    chosen = world.stored[:: world.frames]
    made = vectors(vector, [payload for _, payload in chosen])
    sets = [frozenset(channel["name"] for channel in payload["channels"]) for _, payload in chosen]
    upper = np.triu_indices(len(chosen), 1)
    jaccard = np.array([1 - len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in zip(*upper, strict=True)])
    akin = np.array([chosen[a][0].renderer == chosen[b][0].renderer for a, b in zip(*upper, strict=True)])
    distances = measures.cosine_distances(made, made)[upper]
    return {
        "Jaccard, one renderer": measures.spearman(jaccard[akin], distances[akin]),
        "Jaccard, all pairs": measures.spearman(jaccard, distances),
    }


def speed(world: World, vector: Vector) -> dict[str, float]:
    """Microseconds of processor time a call, over all frames in the order in which they are stored."""
    taken = []
    for _, payload in world.stored:
        start = time.thread_time()
        vector(payload)
        taken.append(time.thread_time() - start)
    return {"median us": float(np.median(taken)) * 1e6, "p95 us": float(np.percentile(taken, 95)) * 1e6}


AT_LEAST = {
    "embedding": {
        "frame mAP": 0.97,
        "shot mAP": 0.95,
        "shot recall@10": 0.96,
        "nDCG@10": 0.85,
        "pair AUROC": 0.995,
        "AOV added mAP": 0.84,
        "AOV added recall@10": 0.88,
        "renamed mAP": 0.88,
        "monotonic, chains": 0.97,
        "monotonic, pooled": 0.80,
        "severity order": 0.96,
        "anomaly AUROC": 0.985,
        "anomaly found first": 0.97,
    },
    "fingerprint": {
        "AOV added mAP": 0.75,
        "renamed mAP": 0.45,
        "monotonic, chains": 0.95,
        "Jaccard, one renderer": 0.88,
        "anomaly AUROC": 0.99,
    },
}
AT_MOST = {
    "embedding": {
        "next frame": 0.002,
        "volatile distance": 0.0,
        "no vector": 0.0,
        "unmoved by an edit": 0.001,
        "median us": 1000,
        "p95 us": 3000,
    },
    "fingerprint": {"volatile distance": 0.0, "no vector": 0.0, "median us": 500},
}

STUDIES = (speed, retrieval, query_edits, chains, severity, anomalies, contract, overlap)
# The fingerprint knows channels alone, so it is asked about edits of channels alone.
CHANNEL_STUDIES = (
    speed,
    retrieval,
    query_edits,
    partial(chains, pool=edits.GROWTH),
    partial(anomalies, pool=edits.CHANNELS),
    contract,
    overlap,
)


Measured = dict[str, dict[str, list[float]]]
"""Method -> measure -> its value with each seed."""


def measure(seeds: int, shows: int, frames: int) -> Measured:
    """All studies of all methods, in a world for each seed."""
    collected: Measured = {name: {} for name in METHODS}
    for seed in range(seeds):
        world = World(seed, shows, frames)
        for name, vector in METHODS.items():
            with np.errstate(all="ignore"):  # the hash baseline makes NaN
                results = [study(world, vector) for study in (CHANNEL_STUDIES if name == "fingerprint" else STUDIES)]
            for key, value in (item for result in results for item in result.items()):
                collected[name].setdefault(key, []).append(value)
    return collected


def average(measured: Measured) -> dict[str, dict[str, float]]:
    """The means over the seeds."""
    return {name: {key: float(np.mean(values)) for key, values in lists.items()} for name, lists in measured.items()}


def table(measured: Measured) -> str:
    """Means as a Markdown table; of the project's own vectors with the lowest and the highest seed."""
    names, means = list(measured), average(measured)
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for key in means[names[0]]:
        cells = [_cell(means[name].get(key)) + _range(measured[name].get(key, []) if name in AT_LEAST else []) for name in names]
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _range(values: list[float]) -> str:
    lowest, highest = (_cell(edge(values, default=None)) for edge in (min, max))
    return "" if lowest == highest else f" [{lowest}, {highest}]"


def missed_goals(results: dict[str, dict[str, float]]) -> list[str]:
    """The numbers to reach that were not reached."""
    misses = [
        (name, key, wanted, "<")
        for name, goals in AT_LEAST.items()
        for key, wanted in goals.items()
        if results[name][key] < wanted
    ]
    misses += [
        (name, key, wanted, ">")
        for name, goals in AT_MOST.items()
        for key, wanted in goals.items()
        if results[name][key] > wanted
    ]
    return [f"{name}: {key} {_cell(results[name][key])} {sign} {wanted}" for name, key, wanted, sign in misses]


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 10 else f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shows", type=int, default=5)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the results here as well")
    asked = parser.parse_args()
    measured = measure(asked.seeds, asked.shows, asked.frames)
    results = average(measured)
    print(table(measured))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")
    if missing := missed_goals(results):
        raise SystemExit("\n".join(["not reached:", *missing]))


if __name__ == "__main__":
    main()
