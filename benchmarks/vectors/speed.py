"""What the vectors cost: the first call, a frame of a known sequence, a setup not seen before, and 600 channels.

scripts/python -m benchmarks.vectors.speed
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable
from functools import _lru_cache_wrapper, partial

import numpy as np

from benchmarks.vectors.shows import Payload
from exr_inspector.embedding import attributes, facts, text, tokens, vectors

MODULES = (vectors, attributes, tokens, facts, text)
CACHED_BLOCKS = ("_channel_blocks", "_part_blocks", "_attribute_block", "_value_block")
AOVS = (
    *("", "diffuse_direct", "diffuse_indirect", "specular_direct", "specular_indirect"),
    *("coat", "sss", "volume", "emission", "albedo"),
)
LIMITS = {"40 channels, next frame": 250e-6, "600 channels, first call": 50e-3}


def render(layers: list[str], number: int = 1) -> Payload:
    """One part, four channels per layer, twenty attributes of which a few differ from frame to frame."""
    window = {"min": {"x": 0, "y": 0}, "max": {"x": 1919, "y": 1079}}
    steady = [{"name": f"arnold/option_{at:c}", "type": "int", "value": at} for at in range(97, 113)]
    return {
        "file": {"path": f"/shots/a.{number:04d}.exr", "frame_number": number},
        "parts": [{"index": 0, "data_window": window, "display_window": window, "compression": "zip", "type": "scanlineimage",
                   "pixel_aspect_ratio": 1.0, "line_order": "INCREASING_Y", "render_software": "Arnold 7.2.1.0"}],
        "channels": [
            {"part_index": 0, "name": f"{layer}.{c}" if layer else c, "layer_name": layer, "component_name": c, "type": "HALF",
             "x_sampling": 1, "y_sampling": 1, "p_linear": False}
            for layer in layers for c in "RGBA"
        ],
        "attributes": {"parts": [[*steady, {"name": "capDate", "type": "string", "value": str(number)},
                                  {"name": "renderTime", "type": "float", "value": 10.0 + number},
                                  {"name": "focus", "type": "float", "value": 4.0 + number / 10},
                                  {"name": "worldToCamera", "type": "m44f", "value": [number * 1.0] * 16}]]},
    }  # fmt: skip


def forget(names: tuple[str, ...] | None = None) -> None:
    """Empty the caches: all of them, or those of these functions."""
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, _lru_cache_wrapper) and (names is None or name in names):
                value.cache_clear()


def measure(call: Callable[[Payload], object], payloads: list[Payload], before: Callable[[], None] | None = None) -> np.ndarray:
    """Processor seconds per call, one call per payload; every payload is a fresh object, as one that was just parsed."""
    seconds = []
    for payload in payloads:
        fresh = copy.deepcopy(payload)
        if before:
            before()
        start = time.thread_time()
        call(fresh)
        seconds.append(time.thread_time() - start)
    return np.array(seconds)


def fingerprint(payload: Payload) -> list[float]:
    return vectors.compute_channel_fingerprint(payload["channels"])


def main() -> None:
    frames = [render(list(AOVS), at) for at in range(400)]
    lights = [f"light_{a}{b}_{kind}" for a in "abcde" for b in "vwxyz" for kind in ("key", "fill", "rim", "top", "env", "bg")]
    many = [render(lights, at) for at in range(20)]
    embed = vectors.compute_metadata_embedding
    gc.disable()
    rows = {
        "40 channels, first call": measure(embed, frames[:60], forget),
        "40 channels, next frame": measure(embed, frames),
        "40 channels, known names, unknown setup": measure(embed, frames[:200], partial(forget, CACHED_BLOCKS)),
        "40 channels, fingerprint of the next frame": measure(fingerprint, frames),
        "600 channels, first call": measure(embed, many, forget),
        "600 channels, next frame": measure(embed, many),
    }
    print("| | median | 95th percentile | limit |\n|---|---|---|---|")
    for name, seconds in rows.items():
        limit = f"{LIMITS[name] * 1e6:.0f} us" if name in LIMITS else ""
        print(f"| {name} | {np.median(seconds) * 1e6:.0f} us | {np.percentile(seconds, 95) * 1e6:.0f} us | {limit} |")
    missed = [name for name, limit in LIMITS.items() if np.median(rows[name]) > limit]
    if missed:
        raise SystemExit(f"over the limit: {', '.join(missed)}")


if __name__ == "__main__":
    main()
