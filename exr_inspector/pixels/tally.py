"""Samples of one channel -> its figures, block by block and in bounded memory.

A half has 65,536 values, so a count of each value says everything exactly, percentiles included. Floats and unsigned integers
are summed line by line in double precision, and their percentiles come from every n-th sample. No figure depends on how the
image was cut into bands, because lines are summed alone and joined in order.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Any

HISTOGRAM_BYTES = 65_536 * 8
# Samples kept for percentiles of floats. Thinning keeps each seventh, as widths of images have few factors of seven: a step that
# divides the width would look at the same few columns in every line. 33,614 or more remain of any stream that was longer.
THINNING = 7
KEPT = 2 * THINNING**6
KEPT_BYTES = 4 * KEPT
PIECE = 2**18
PERCENTILES = {"p01": 0.01, "p50": 0.5, "p99": 0.99}


@dataclass(slots=True)
class Counts:
    """How many samples are of which kind, and the range of the finite ones. Negative includes -Infinity, zero includes -0."""

    total: int = 0
    nan: int = 0
    pos_inf: int = 0
    neg_inf: int = 0
    negative: int = 0
    zero: int = 0
    low: float = math.inf
    high: float = -math.inf

    @property
    def finite(self) -> int:
        """Samples that are neither NaN nor infinite."""
        return self.total - self.nan - self.pos_inf - self.neg_inf

    def add(self, other: Counts) -> None:
        """Joins the counts of other samples to these."""
        for name in ("total", "nan", "pos_inf", "neg_inf", "negative", "zero"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    @property
    def is_constant(self) -> bool | None:
        """Whether all samples are equal, NaN counting as equal to NaN; None where there are none."""
        if not self.total:
            return None
        return self.total in (self.nan, self.pos_inf, self.neg_inf) or (self.total == self.finite and self.low == self.high)


@dataclass(frozen=True, slots=True)
class Moments:
    """Number, sum, and sum of squared deviations from the mean, of the finite samples."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def join(self, other: Moments) -> Moments:
        """The moments of both sets of samples (Chan, Golub and LeVeque 1979)."""
        if not self.count or not other.count:
            return other if other.count else self
        count = self.count + other.count
        apart = other.total / other.count - self.total / self.count
        squares = self.squares + other.squares + apart * apart * (self.count * other.count / count)
        return Moments(count, self.total + other.total, squares)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one block adds to its channel. `digests` are 32 bytes per line; `values` are there where percentiles need them,
    as a copy: the block's own memory is used again."""

    counts: Counts
    lines: list[Moments]
    digests: bytes
    first_nan: int | None
    """Position of the block's first NaN, line by line."""
    values: Any = None


class Thinned:
    """Every n-th value of a stream, n growing by seven as the stream does: at most `most` values, evenly spread."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._step = 1
        self._seen = 0
        self._kept: list[Any] = []
        self._held = 0

    def add(self, values: Any) -> None:
        """The next values of the stream, in order."""
        taken = values[-self._seen % self._step :: self._step].copy()
        self._seen += values.size
        self._kept.append(taken)
        self._held += taken.size
        while self._held > self._most:
            import numpy as np

            self._kept = [np.concatenate(self._kept)[::THINNING]]
            self._held = self._kept[0].size
            self._step *= THINNING

    @property
    def is_exact(self) -> bool:
        """Whether nothing was left out."""
        return self._step == 1

    def percentiles(self) -> dict[str, float | None]:
        """The percentiles of the finite values, between two values by linear interpolation; None where there are none."""
        import numpy as np

        values = np.concatenate(self._kept) if self._kept else np.empty(0)
        values = np.sort(values[np.isfinite(values)]).astype("f8")
        return {name: _between(values.__getitem__, values.size, share) for name, share in PERCENTILES.items()}


def _between(value_at: Any, count: int, share: float) -> float | None:
    """The value at `share` of the way through `count` sorted values, as NumPy's default has it."""
    if not count:
        return None
    place = share * (count - 1)
    below = math.floor(place)
    low, high = float(value_at(below)), float(value_at(min(below + 1, count - 1)))
    return low + (high - low) * (place - below)


@cache
def _half_values() -> tuple[Any, Any]:
    """The value of each of the 65,536 halfs, in double precision, and the finite ones' numbers in ascending order of value."""
    import numpy as np

    with np.errstate(invalid="ignore"):  # a signalling NaN is an invalid operation to convert
        values = np.arange(65_536, dtype="u2").view("f2").astype("f8")
    finite = np.flatnonzero(np.isfinite(values))
    return values, finite[np.argsort(values[finite], kind="stable")]


@dataclass(slots=True)
class Tally:
    """The figures of one channel as its blocks arrive. `measure` may run in any thread; `add` runs in one, in image order."""

    histogram: Any = None
    kept: Thinned = field(default_factory=Thinned)
    counts: Counts = field(default_factory=Counts)
    moments: Moments = field(default_factory=Moments)
    _digest: Any = field(default_factory=hashlib.sha256)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def measure(self, block: Any) -> Measurement:
        """The figures of a block of (lines, columns) samples: float16, float32 or uint32."""
        import numpy as np

        block = np.ascontiguousarray(block)
        digests = _line_digests(block)
        if self.histogram is None:
            with np.errstate(invalid="ignore"):
                return _measure_by_line(block, digests)
        histogram = _histogram(block)
        with self._lock:
            self.histogram += histogram
        return Measurement(_half_counts(histogram), [], digests, _first_nan(block) if histogram[_is_nan()].any() else None)

    def add(self, measured: Measurement) -> None:
        """Joins what `measure` returned; blocks in the order of the image."""
        self.counts.add(measured.counts)
        self._digest.update(measured.digests)
        for line in measured.lines:
            self.moments = self.moments.join(line)
        if measured.values is not None:
            self.kept.add(measured.values)

    @property
    def sample_hash(self) -> str:
        """SHA-256 over the SHA-256 of each line's samples, little-endian."""
        return str(self._digest.hexdigest())

    def figures(self) -> dict[str, Any]:
        """Mean, standard deviation (of the population) and percentiles of the finite samples; None where there are none."""
        if self.histogram is None:
            moments, shares = self.moments, self.kept.percentiles()
        else:
            moments, shares = _from_histogram(self.histogram)
        some = moments.count > 0
        return {
            "mean_value": moments.total / moments.count if some else None,
            "stddev_value": math.sqrt(moments.squares / moments.count) if some else None,
            **shares,
        }

    @property
    def percentiles_exact(self) -> bool:
        """Whether the percentiles were taken over every sample."""
        return self.histogram is not None or self.kept.is_exact


def tally(kind: str, kept_bytes: int = KEPT_BYTES, *, histogram: bool = True) -> Tally:
    """An empty tally for a channel of type HALF, FLOAT or UINT; without `histogram` halfs are summed and kept as floats are."""
    import numpy as np

    if kind == "HALF" and histogram:
        return Tally(np.zeros(65_536, dtype="i8"))
    return Tally(kept=Thinned(max(THINNING, kept_bytes // 4)))


def prepare() -> None:
    """Makes the tables that all tallies share, once and in one thread."""
    _half_values()
    _is_nan()


def _line_digests(block: Any) -> bytes:
    little = block.astype(block.dtype.newbyteorder("<"), copy=False)
    return b"".join(hashlib.sha256(line).digest() for line in little.view("u1"))


def _histogram(block: Any) -> Any:
    """How often each half occurs, in pieces that stay in the cache: counting needs 8 bytes per sample."""
    import numpy as np

    bits = block.view("u2").reshape(-1)
    return sum(np.bincount(bits[start : start + PIECE], minlength=65_536) for start in range(0, max(bits.size, 1), PIECE))


@cache
def _is_nan() -> Any:
    import numpy as np

    return np.isnan(_half_values()[0])


def _half_counts(histogram: Any) -> Counts:
    values, order = _half_values()
    present = order[histogram[order] > 0]
    low, high = (values[present[0]], values[present[-1]]) if present.size else (math.inf, -math.inf)
    return Counts(
        total=int(histogram.sum()),
        nan=int(histogram[_is_nan()].sum()),
        pos_inf=int(histogram[0x7C00]),
        neg_inf=int(histogram[0xFC00]),
        negative=int(histogram[0x8001:0xFC01].sum()),
        zero=int(histogram[0] + histogram[0x8000]),
        low=float(low),
        high=float(high),
    )


def _from_histogram(histogram: Any) -> tuple[Moments, dict[str, float | None]]:
    values, order = _half_values()
    present = order[histogram[order] > 0]
    ordered, numbers = values[present], histogram[present]
    count = int(numbers.sum())
    if not count:
        return Moments(), dict.fromkeys(PERCENTILES)
    total = math.fsum((ordered * numbers).tolist())
    squares = math.fsum((numbers * (ordered - total / count) ** 2).tolist())
    running = numbers.cumsum()

    def value_at(rank: int) -> Any:
        return ordered[running.searchsorted(rank, "right")]

    return Moments(count, total, squares), {name: _between(value_at, count, share) for name, share in PERCENTILES.items()}


def _first_nan(block: Any) -> int | None:
    import numpy as np

    places = np.flatnonzero(np.isnan(block.reshape(-1)))
    return int(places[0]) if places.size else None


def _measure_by_line(block: Any, digests: bytes) -> Measurement:
    """Counts and moments of floats and integers, a few lines at a time so that the doubles stay in the cache."""
    counts = Counts()
    lines: list[Moments] = []
    step = max(1, PIECE // 4 // max(block.shape[1], 1))
    for start in range(0, block.shape[0], step):
        _measure_lines(block[start : start + step].astype("f8"), counts, lines)
    return Measurement(counts, lines, digests, _first_nan(block) if counts.nan else None, block.flatten())


def _measure_lines(piece: Any, counts: Counts, lines: list[Moments]) -> None:
    import numpy as np

    if not piece.size:
        return
    finite = np.isfinite(piece)
    whole = bool(finite.all())
    if whole:
        numbers = np.full(len(piece), piece.shape[1])
        low, high = piece.min(), piece.max()
    else:
        numbers = finite.sum(axis=1)
        low, high = piece.min(where=finite, initial=math.inf), piece.max(where=finite, initial=-math.inf)
        nan, above = int(np.isnan(piece).sum()), int((piece == math.inf).sum())
        counts.nan += nan
        counts.pos_inf += above
        counts.neg_inf += piece.size - int(numbers.sum()) - nan - above
    negative, zero = int(np.count_nonzero(piece < 0)), int(np.count_nonzero(piece == 0))
    counts.add(Counts(piece.size, negative=negative, zero=zero, low=float(low), high=float(high)))
    clean = piece if whole else np.where(finite, piece, 0.0)
    totals = clean.sum(axis=1)
    apart = np.square(clean - (totals / np.maximum(numbers, 1))[:, None])
    squares = apart.sum(axis=1) if whole else apart.sum(axis=1, where=finite)
    lines.extend(map(Moments, numbers.tolist(), totals.tolist(), squares.tolist()))
