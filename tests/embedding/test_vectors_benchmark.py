"""The benchmark of the vectors measures what it says: its generator, its edits and its measures."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.vectors import baselines, edits, measures, run, shows
from project import ROOT


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's modules."""
    return SimpleNamespace(baselines=baselines, edits=edits, measures=measures, run=run, shows=shows)


@pytest.mark.parametrize("how", [["-m", "benchmarks.vectors.run"], ["benchmarks/vectors/run.py"]])
def test_it_runs_as_its_first_lines_say(how):
    """As a module, and as a script where the project is on the import path."""
    told = subprocess.run([sys.executable, *how, "--help"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert told.returncode == 0


def test_a_seed_is_a_data_set(benchmark):
    """The same seed gives the same payloads, another seed others."""

    def first(seed):
        show = benchmark.shows.Show(seed, 0)
        return json.dumps([show.frame(setup, 1001) for setup in show.setups()])

    assert first(3) == first(3)
    assert first(3) != first(4)


def test_every_edit_shows_in_the_payload(benchmark):
    """An edit that changes nothing would be counted as a miss of every vector."""
    show = benchmark.shows.Show(1, 0, shots=1)
    for setup in show.setups():
        for edit in benchmark.edits.ALL:
            other = benchmark.edits.apply_edits(setup, [edit], random.Random(2))
            assert show.frame(other, 1001) != show.frame(setup, 1001), (edit.__name__, setup.key)


def test_a_rename_keeps_the_number_of_layers(benchmark):
    """Only the names change."""
    for setup in benchmark.shows.Show(1, 0, shots=1).setups():
        other = benchmark.edits.rename_layers(setup, random.Random(3))
        assert len(set(other.recipe["layers"])) == len(set(setup.recipe["layers"]))
        assert other.recipe["compression"] == setup.recipe["compression"]


def test_measures_agree_with_small_cases_by_hand(benchmark):
    """Two relevant items at ranks 1 and 3 have an average precision of 5/6."""
    measures = benchmark.measures
    distances, relevant = np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[True, False, True, False]])
    assert measures.mean_average_precision(distances, relevant) == pytest.approx(5 / 6)
    assert measures.recall_at(distances, relevant, 2) == 0.5
    everything = np.ones((1, 4), bool)
    assert measures.ndcg(distances, np.array([[3, 2, 1, 0]]), 4, everything) == 1
    assert measures.ndcg(distances, np.array([[0, 1, 2, 3]]), 4, everything) < 0.7
    assert measures.spearman(np.array([1, 2, 3]), np.array([10, 20, 40])) == pytest.approx(1)
    assert measures.spearman(np.array([1, 2, 3]), np.array([5, 5, 5])) == 0
    assert measures.auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == 0.875
    assert list(measures.ranks(np.array([7, 5, 7]))) == [1.5, 0, 1.5]


def test_hashed_bytes_are_no_vectors(benchmark):
    """Some of them are NaN, and a changed path changes all of them."""
    show = benchmark.shows.Show(1, 0, shots=1)
    payloads = [show.frame(setup, 1001) for setup in show.setups()]
    hashed = np.array([benchmark.baselines.hash_vector(payload) for payload in payloads])
    naive = np.array([benchmark.baselines.naive_vector(payload) for payload in payloads])
    assert np.isnan(hashed).any()
    assert np.allclose(np.linalg.norm(naive, axis=1), 1)
    assert benchmark.baselines.naive_vector({**payloads[0], "file": {}}) == list(naive[0])


def test_the_embedding_reaches_its_numbers_on_a_small_world(benchmark):
    """Structure and retrieval, on shows of a seed that nobody chose for it."""
    run = benchmark.run
    world = run.World(seed=2026, shows=2, frames=3)
    studies = (run.retrieval, run.query_edits, run.chains, run.severity, run.anomalies, run.contract)
    embedding = {key: value for study in studies for key, value in study(world, run.METHODS["embedding"]).items()}
    low = [key for key, wanted in run.AT_LEAST["embedding"].items() if embedding[key] < wanted]
    high = [key for key, wanted in run.AT_MOST["embedding"].items() if key in embedding and embedding[key] > wanted]
    assert (low, high) == ([], []), embedding


def test_the_embedding_finds_more_than_feature_hashing(benchmark):
    """The reason for blocks, canonical names and soft numbers."""
    run = benchmark.run
    world = run.World(seed=2027, shows=1, frames=1)
    ours, naive = (run.query_edits(world, run.METHODS[name]) for name in ("embedding", "naive"))
    assert ours["renamed mAP"] > naive["renamed mAP"] + 0.1
