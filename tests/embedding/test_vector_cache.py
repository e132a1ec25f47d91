"""What is kept of the headers that the vectors were computed of: up to a number of bytes, whatever the headers hold."""

from __future__ import annotations

import functools
import gc
import tracemalloc
from typing import Any

from exr_inspector.embedding import attributes, facts, tokens, vectors
from exr_inspector.embedding import text as exr_embedding_text
from exr_inspector.embedding.cache import MB, bounded_cache, size_of
from sample_payloads import channel, part

MODULES = (vectors, attributes, tokens, facts, exr_embedding_text)


def wide_payload(number: int, channels: int) -> dict[str, Any]:
    """A file of many channels whose names no other file has."""
    names = [f"light_group_of_file_{number}_{at // 4}.{'RGBA'[at % 4]}" for at in range(channels)]
    return {"parts": [part()], "channels": [channel(name) for name in names], "attributes": {"parts": []}}


def test_files_of_many_channels_leave_a_bounded_number_of_bytes() -> None:
    """Six files of 4,096 channels, all of other names, leave no more than 50 MB behind; the first four fill every cache."""
    tracemalloc.start()
    try:
        held = []
        for number in range(6):
            payload = wide_payload(number, 4096)
            vectors.compute_metadata_embedding(payload)
            vectors.compute_channel_fingerprint(payload["channels"])
            del payload
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(held) < 50 * MB
    assert max(held[4:]) < max(held[:4]) + 5 * MB


def test_a_repeated_header_of_16384_channels_computes_nothing_again() -> None:
    """All of its channels and its blocks are kept."""
    payload = wide_payload(99, 16384)
    caches = (facts._channel, vectors._channel_blocks, vectors._part_blocks)
    misses = []
    for _ in range(3):  # what other tests left may fill a cache up at the first time, and so empty it
        vectors.compute_metadata_embedding(payload)
        vectors.compute_channel_fingerprint(payload["channels"])
        misses.append([cache.cache_info().misses for cache in caches])
    assert misses[1] == misses[2]


def test_no_cache_is_bounded_by_entries_of_any_size() -> None:
    """Those with a number of entries have entries of a bounded size."""
    counted = {
        name for module in MODULES for name, value in vars(module).items()
        if isinstance(value, functools._lru_cache_wrapper) and value.cache_parameters()["maxsize"] is not None
    }  # fmt: skip
    assert counted == {"_hashing", "block_slices"}


def test_the_places_of_tokens_are_kept_up_to_a_number_and_a_length() -> None:
    """Those of longer tokens are drawn again, and are the same."""
    block = vectors.BLOCKS[0]
    _, hashing = vectors._hashing(block, 96)
    hashing.known.clear()
    vectors._accumulate(block, 96, {b"a" * 200: 1 << 24})
    assert not hashing.known
    vectors._accumulate(block, 96, {b"%d" % at: 1 << 24 for at in range(2 * vectors.KNOWN_TOKENS + 5)})
    assert len(hashing.known) == 5
    assert hashing.known[b"%d" % (2 * vectors.KNOWN_TOKENS)] == vectors._draw_places(hashing, b"%d" % (2 * vectors.KNOWN_TOKENS))


def test_sizes_that_are_not_measured_are_no_less_than_the_measured_ones() -> None:
    """Of channels, layers, attributes and blocks."""
    entry = (0, "diffuse_direct.left", "R", "diffuse_direct.left.R", "HALF", 1, 1)
    made = facts._make_channel(*entry)
    assert facts._channel_bytes(entry, made) >= size_of((entry, made))
    layer = (b"diffuse_direct_left", (b"A", b"B", b"G", b"R"))
    assert tokens._tokens_bytes(layer, tokens._layer_tokens(*layer)) >= size_of((layer, tokens._layer_tokens(*layer)))
    for value in (12.5, "take 12", "y" * 64):
        said = attributes._say("vendor/option_of_a_long_name", "string" if isinstance(value, str) else "float", value)
        arguments = ("vendor/option_of_a_long_name", "string", value)
        assert attributes._said_bytes(arguments, said) >= size_of((arguments, said))
    blocks = vectors._channel_blocks(vectors.FINGERPRINT_BLOCKS, 128, (made,))
    arguments = (vectors.FINGERPRINT_BLOCKS, 128, (made,))
    assert vectors._blocks_bytes(arguments, blocks) >= size_of((arguments, blocks))


def test_results_are_forgotten_when_they_take_too_many_bytes() -> None:
    """And computed again when they are asked for again; the ones before that are found."""
    calls = []

    @bounded_cache(10_000)
    def repeat(text: str) -> str:
        calls.append(text)
        return text * 100

    for text in ("a" * 30, "a" * 30, "b" * 30, "c" * 30, "a" * 30):
        assert repeat(text) == text * 100
    assert [text[0] for text in calls] == ["a", "b", "c", "a"]
    assert repeat.cache_info().currsize <= 3


def test_the_size_counts_what_tuples_hold() -> None:
    """At every depth."""
    assert size_of((b"x" * 1000, ((b"y" * 1000,), 3))) > 2000
