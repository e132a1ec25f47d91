"""Rankings and correlations, over NumPy arrays."""

from __future__ import annotations

import numpy as np


def cosine_distances(queries: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Distances of unit vectors, queries by rows; a NaN counts as the greatest distance."""
    return np.nan_to_num(1.0 - queries @ stored.T, nan=2.0)


def mean_average_precision(distances: np.ndarray, relevant: np.ndarray, asked: np.ndarray | None = None) -> float:
    """Mean over queries of the average precision; `asked` masks out items that do not take part (the query itself)."""
    precisions = []
    for at in range(len(distances)):
        keep = np.ones(distances.shape[1], bool) if asked is None else asked[at]
        hits = relevant[at][keep][np.argsort(distances[at][keep], kind="stable")]
        if hits.any():
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            precisions.append(float(precision[hits].mean()))
    return float(np.mean(precisions))


def recall_at(distances: np.ndarray, relevant: np.ndarray, depth: int, asked: np.ndarray | None = None) -> float:
    """Mean share of what is relevant (at most `depth` items) among the `depth` nearest."""
    shares = []
    for at in range(len(distances)):
        keep = np.ones(distances.shape[1], bool) if asked is None else asked[at]
        hits = relevant[at][keep][np.argsort(distances[at][keep], kind="stable")]
        if hits.any():
            shares.append(hits[:depth].sum() / min(depth, hits.sum()))
    return float(np.mean(shares))


def ndcg(distances: np.ndarray, gains: np.ndarray, depth: int, asked: np.ndarray) -> float:
    """Normalised discounted cumulative gain at `depth`, gains 2**grade - 1."""
    discount = 1 / np.log2(np.arange(2, depth + 2))
    ratios = []
    for at in range(len(distances)):
        keep = asked[at]
        gained = 2.0 ** gains[at][keep] - 1
        ideal = (np.sort(gained)[::-1][:depth] * discount).sum()
        if ideal:
            order = np.argsort(distances[at][keep], kind="stable")[:depth]
            ratios.append((gained[order] * discount).sum() / ideal)
    return float(np.mean(ratios))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties share their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation; 0 when one side does not vary."""
    a, b = ranks(np.asarray(x, float)), ranks(np.asarray(y, float))
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The probability that a positive scores above a negative, ties half."""
    both = ranks(np.concatenate([positives, negatives]))
    count = len(positives)
    return float((both[:count].sum() - count * (count - 1) / 2) / (count * len(negatives)))
