"""A catalogue of 10,000 files as three shows would leave it, the same on every run, with faults planted in known places.

Payloads are written in the published vocabulary and go through `rows`, so the rows are what the function stores. What was
planted where is `PLANTED`: the tests ask each question and compare.

    scripts/python tests/support/seeded_catalogue.py DIRECTORY      writes the tables as Arrow files
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import feather

import vast_schemas
from exr_inspector.database import rows as vast_rows
from exr_inspector.database.rows import Stamp
from exr_inspector.payload.names import parse_name
from local_vast import LocalVast

ROOT = Path(__file__).resolve().parents[2]
SEED = 10
FILES = 10_000
FIRST_FRAME, FRAMES = 1001, 45
START = datetime(2026, 3, 2, 6, 0, 0)  # noqa: DTZ001 - stored times are UTC without zone
AS_OF = "2026-04-01T00:00:00"
SAMPLE_BYTES = {"HALF": 2, "FLOAT": 4, "UINT": 4}
# Compressed size as a share of the samples' size, about what production renders reach.
SHARE = {"none": 1.0, "zip": 0.46, "zips": 0.5, "piz": 0.42, "dwaa": 0.09}
JsonObject = dict[str, Any]
SOURCES = (
    "exr_inspector/embedding/*.py", "exr_inspector/payload/*.py", "exr_inspector/exr/channel_names.py",
    "exr_inspector/database/rows.py", "vast_schemas.py",
)  # fmt: skip
"""The modules that have a part in the rows."""


def rgb(*layers: str, kind: str = "HALF") -> tuple[tuple[str, str], ...]:
    """R, G and B of these layers."""
    return tuple((f"{layer}.{c}" if layer else c, kind) for layer in layers for c in "RGB")


@dataclass(frozen=True, slots=True)
class RenderSetup:
    """How a pass is rendered: everything that all frames of all its sequences share."""

    name: str
    software: str
    channels: tuple[tuple[str, str], ...]
    compression: str
    size: tuple[int, int]
    overscan: int = 0
    kind: str = "scanlineimage"
    views: tuple[str | None, ...] = (None,)
    seconds: float = 600.0
    memory: float = 8192.0
    color_space: str | None = "ACEScg"
    artist: str | None = "mira"

    @property
    def deep(self) -> bool:
        """Whether its parts are deep."""
        return self.kind.startswith("deep")

    @property
    def tiled(self) -> bool:
        """Whether its parts are tiled."""
        return self.kind == "tiledimage"

    @property
    def logical(self) -> int:
        """Bytes of one part's samples, uncompressed, in the data window."""
        width, height = (side + 2 * self.overscan for side in self.size)
        return width * height * sum(SAMPLE_BYTES[kind] for _, kind in self.channels)


AOVS = ("diffuse_direct", "diffuse_indirect", "specular_direct", "specular_indirect", "transmission", "sss", "emission", "albedo")
BEAUTY = (*rgb(""), ("A", "HALF"), *rgb(*AOVS))
CRYPTO = (*rgb(""), *((f"CryptoObject0{rank}.{c}", "FLOAT") for rank in (0, 1, 2) for c in "RGBA"))
DEEP = (*rgb(""), ("A", "HALF"), ("Z", "FLOAT"), ("ZBack", "FLOAT"))
UTILITY = (*((f"P.{c}", "FLOAT") for c in "XYZ"), *((f"N.{c}", "HALF") for c in "XYZ"), ("Z", "FLOAT"))
HD, SCOPE, UHD = (1920, 1080), (2048, 858), (4096, 2160)
ARNOLD, BLENDER, RENDERMAN = "Arnold 7.3.4.1", "Blender 4.2.3 LTS", "RenderMan 26.1"
KARMA, VRAY = "Karma XPU 20.5.370", "V-Ray 6.20.02"

SHOWS: dict[str, tuple[RenderSetup, ...]] = {
    "apollo": (
        RenderSetup("beauty", ARNOLD, BEAUTY, "zip", HD, seconds=1400, memory=21000),
        RenderSetup("crypto", ARNOLD, CRYPTO, "zip", HD, seconds=180, memory=9000, color_space=None),
        RenderSetup("deep", ARNOLD, DEEP, "zips", HD, kind="deepscanline", seconds=900, memory=26000),
    ),
    "borealis": (
        RenderSetup("beauty", BLENDER, BEAUTY[:16], "dwaa", SCOPE, overscan=32, color_space="lin_rec709_scene", artist="jonas"),
        RenderSetup("utility", BLENDER, UTILITY, "zip", SCOPE, overscan=32, seconds=90, color_space=None, artist="jonas"),
        RenderSetup("deep", RENDERMAN, DEEP, "zips", SCOPE, kind="deepscanline", seconds=1100, memory=30000, artist="jonas"),
    ),
    "caldera": (
        RenderSetup("stereo", KARMA, BEAUTY[:7], "piz", UHD, views=("left", "right"), seconds=2400, memory=40000, artist="ayşe"),
        RenderSetup("utility", KARMA, UTILITY, "zip", UHD, seconds=240, color_space=None, artist="ayşe"),
        RenderSetup("fx", VRAY, BEAUTY[:10], "zip", UHD, kind="tiledimage", seconds=3100, memory=52000, artist="ayşe"),
    ),
}
SEQUENCES, SHOTS = ("sq010", "sq020", "sq030", "sq040"), ("sh010", "sh020", "sh030", "sh040", "sh050", "sh060")


@dataclass(frozen=True, slots=True)
class Frame:
    """One file: where it stands, how it was rendered, and what is wrong with it."""

    show: str
    sequence: str
    shot: str
    setup: RenderSetup
    number: int
    version: str = "v001"
    pad: int = 4
    host: str | None = None
    seconds: float | None = None
    header_frame: int | None = None
    status: str = "ok"
    verdict: str = "complete"
    size: int | None = None
    chunk_digest: str | None = None
    rules: tuple[JsonObject, ...] = ()
    warnings: tuple[JsonObject, ...] = ()
    day: int | None = None
    inspected: datetime | None = None
    superseded: bool = False
    deleted: datetime | None = None
    extra: tuple[tuple[str, str, Any], ...] = ()
    label: str = field(default="")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The sequence of frames that it belongs to."""
        return self.show, self.sequence, self.shot, self.setup.name

    @property
    def path(self) -> str:
        """The object, as the function normalises it."""
        folder = f"s3://renders/shows/{self.show}/{self.sequence}/{self.shot}/{self.setup.name}/{self.version}"
        name = f"{self.sequence}_{self.shot}_{self.setup.name}_{self.version}"
        return f"{folder}/{name}.{self.number:0{self.pad}d}.exr"


def sequence_key(show: str, sequence: str, shot: str, name: str, version: str = "v001") -> str:
    """The sequence_key of a pass of a shot."""
    return f"s3://renders/shows/{show}/{sequence}/{shot}/{name}/{version}/{sequence}_{shot}_{name}_{version}.#.exr"


def clean_frames() -> Iterator[Frame]:
    """Every frame of every pass of every shot, before anything is planted."""
    for show, setups in SHOWS.items():
        for sequence in SEQUENCES:
            for shot in SHOTS:
                for setup in setups:
                    for number in range(FIRST_FRAME, FIRST_FRAME + FRAMES):
                        yield Frame(show, sequence, shot, setup, number)


HALVES_AS_FLOATS = tuple((name, "FLOAT") for name, _ in BEAUTY)
MANY = tuple(sorted((f"light_{index:03d}.{c}", "HALF") for index in range(110) for c in "RGB"))


def _rule(rule: str, status: str, severity: str = "FAIL", **more: Any) -> JsonObject:
    passed = status == "PASS"
    outcome = "as" if passed else "not as"
    return {
        "policy_id": "delivery",
        "policy_version": "2",
        "rule_id": rule,
        "severity": severity,
        "status": status,
        "status_code": "ok" if passed else f"{rule}_differs",
        "part_index": 0,
        "channel_name": None,
        "expected": "zip",
        "actual": "zip",
        "message": f"{rule} is {outcome} the policy wants it",
        "suggested_fix": None,
    } | more


PASSED = (_rule("compression", "PASS"), _rule("timecode", "PASS", "WARN"))
FAILED = (_rule("compression", "FAIL", actual="none", suggested_fix="Write it again with zip"), _rule("timecode", "PASS", "WARN"))
WARNED = (_rule("compression", "PASS"), _rule("timecode", "WARN", "WARN", actual=None))

UNSELECTABLE = _rule(
    "cryptomatte-selectable",
    "FAIL",
    policy_id="default",
    status_code="cryptomatte_metadata_missing",
    message="Every cryptomatte layer has metadata, without which nothing can be selected from it",
    suggested_fix="Render it again, or copy the cryptomatte attributes from a file that still has them",
)

WHOLE = ("ok", "damaged")
"""Statuses of files that have all their bytes."""

PLANTED: dict[str, Any] = {
    "missing": {sequence_key("apollo", "sq010", "sh020", "beauty"): (1013, 1015)},
    "duplicate": {sequence_key("borealis", "sq020", "sh030", "beauty"): 1025},
    "truncated": ("apollo", "sq020", "sh010", "beauty", 1030),
    "incomplete": ("caldera", "sq030", "sh020", "fx", 1008),
    "damaged": ("caldera", "sq030", "sh010", "utility", 1027),
    "unreadable": ("borealis", "sq040", "sh060", "utility", 1044),
    "frozen": ("apollo", "sq030", "sh040", "beauty", (1020, 1021, 1022)),
    "odd_frame": ("apollo", "sq040", "sh010", "beauty", 1017),
    "odd_type": ("caldera", "sq010", "sh020", "utility", 1012),
    "odd_name": ("borealis", "sq020", "sh020", "utility", 1009),
    "odd_attribute": ("apollo", "sq020", "sh020", "crypto", 1021),
    "odd_value": ("caldera", "sq020", "sh020", "fx", 1033),
    "odd_part": ("caldera", "sq030", "sh030", "stereo", 1002),
    "odd_family": ("caldera", "sq010", "sh060", "fx"),
    "oversized": ("borealis", "sq030", "sh010", "beauty", 1033),
    "uncompressed": ("apollo", "sq020", "sh050", "crypto"),
    "too_many_channels": ("caldera", "sq040", "sh030", "stereo", 1005),
    "failing_shot": ("apollo", "sq010", "sh050"),
    "warned_shot": ("apollo", "sq010", "sh060"),
    "drift_software": ("borealis", "sq010", "sh020", "beauty", 1024),
    "drift_window": ("caldera", "sq020", "sh050", "utility", 1031),
    "drift_channels": ("apollo", "sq040", "sh060", "crypto", 1040),
    "drift_types": ("borealis", "sq040", "sh040", "utility", 1036),
    "floats": ("apollo", "sq030", "sh060", "beauty"),
    "slow_host": ("caldera", "sq030", "sh040", "farm-0666"),
    "mixed_builds": ("borealis", "sq010", "sh020"),
    "misnumbered": ("borealis", "sq030", "sh060", "utility", 1019),
    "renumbered": ("apollo", "sq030", "sh010", "deep"),
    "no_artist": ("borealis", "sq030", "sh050"),
    "stale": ("caldera", "sq040", "sh060"),
    "rerendered": ("apollo", "sq010", "sh010", "beauty"),
    "deleted": ("apollo", "sq020", "sh060", "deep", 1045),
    "nan": ("apollo", "sq040", "sh020", "beauty", (1011, 1012, 1013)),
    "infinity": ("apollo", "sq040", "sh020", "beauty", 1020),
    "negative": ("apollo", "sq040", "sh020", "beauty", (1030, 1031)),
    "black": ("apollo", "sq040", "sh030", "beauty", (1001, 1002)),
    "constant": ("apollo", "sq040", "sh030", "beauty", 1045),
    "flash": ("apollo", "sq040", "sh040", "beauty", 1022),
    "jump": ("apollo", "sq040", "sh040", "beauty", 1036),
    "same_frame": ("apollo", "sq040", "sh040", "beauty", 1009),
    "versions": ("caldera", "sq020", "sh010", "fx"),
    "stray": ("caldera", "sq040", "sh050", "utility", 1),
    "mended": ("apollo", "sq010", "sh010", "beauty", 1020),
    "cryptomatte": ("apollo", "sq020", "sh030", "crypto"),
    "unjudged_cryptomatte": ("apollo", "sq020", "sh040", "crypto"),
}
"""What is wrong, and where. Frames are numbers; a tuple of four names is a pass of a shot, of three a shot."""


MEASURED = (
    ("apollo", "sq040", "sh020", "beauty"), ("apollo", "sq040", "sh030", "beauty"), ("apollo", "sq040", "sh040", "beauty"),
    ("caldera", "sq020", "sh010", "fx"), ("caldera", "sq040", "sh020", "utility"),
)  # fmt: skip
"""The passes whose pixels were read; their faults in pixels are planted there."""
NAN_AT, NAN_CHANNEL, INFINITY_CHANNEL, NEGATIVE_CHANNEL = (640, 360), "R", "specular_direct.G", "diffuse_direct.B"
LATEST = datetime(2026, 3, 29, 0, 0, 0)  # noqa: DTZ001
"""Only the latest version of the pass with several was written after it."""


def planted(frame: Frame) -> Frame | None:
    """The frame as the catalogue has it: with its fault, where it has one; None where it is missing."""
    here = (*frame.key, frame.number)
    for name, change in _CHANGES.items():
        place = PLANTED[name]
        if isinstance(place, tuple) and _stands(here, place):
            frame = change(frame)
    first, last = PLANTED["missing"].get(sequence_key(*frame.key), (1, 0))
    if first <= frame.number <= last:
        return None
    return _with_rules(frame)


def _stands(here: tuple[Any, ...], place: tuple[Any, ...]) -> bool:
    """Whether a place, of three names or more, names this frame or contains it."""
    if len(place) == 5 and isinstance(place[4], tuple):
        return here[:4] == place[:4] and here[4] in place[4]
    return here[: len(place)] == place


def _with_rules(frame: Frame) -> Frame:
    if frame.key == PLANTED["cryptomatte"]:
        return replace(frame, rules=(UNSELECTABLE,))
    if frame.show != "apollo" or frame.setup.name != "beauty" or frame.sequence != "sq010":
        return frame
    failing, warned = PLANTED["failing_shot"], PLANTED["warned_shot"]
    rules = FAILED if frame.key[:3] == failing else WARNED if frame.key[:3] == warned else PASSED
    return replace(frame, rules=rules)


def _of_setup(**changes: Any) -> Any:
    return lambda frame: replace(frame, setup=replace(frame.setup, **changes))


def _from(name: str, **changes: Any) -> Any:
    """A change of setup from the planted frame on."""
    return lambda frame: _of_setup(**changes)(frame) if frame.number >= PLANTED[name][4] else frame


UNDECLARED: JsonObject = {
    "code": "cryptomatte_without_metadata",
    "message": "part 0: no metadata for the cryptomatte layers 'crypto_object', from which nothing can be selected",
    "part": 0,
}

_CHANGES: dict[str, Any] = {
    "unjudged_cryptomatte": lambda frame: replace(frame, warnings=(UNDECLARED,)),
    "truncated": lambda frame: replace(frame, status="incomplete", verdict="truncated"),
    "incomplete": lambda frame: replace(frame, status="incomplete", verdict="incomplete"),
    "damaged": lambda frame: replace(frame, status="damaged"),
    "unreadable": lambda frame: replace(frame, status="unreadable"),
    "frozen": lambda frame: replace(frame, chunk_digest=hashlib.sha256(b"frozen").hexdigest()),
    "odd_frame": _of_setup(compression="piz", channels=BEAUTY[:7], color_space="sRGB"),
    "odd_type": _of_setup(channels=tuple((name, "HALF") for name, _ in UTILITY)),
    "odd_name": _of_setup(channels=tuple(("depth.Z" if name == "Z" else name, kind) for name, kind in UTILITY)),
    "odd_attribute": lambda frame: replace(frame, extra=(("lensModel", "string", "Cooke S4"), ("lensSerial", "string", "1204"))),
    "odd_value": lambda frame: replace(frame, extra=(("focalLength", "float", 85.0),)),
    "odd_part": _of_setup(views=("left", "centre")),
    "odd_family": _of_setup(
        kind="scanlineimage", compression="dwaa", size=HD, software="Nuke 15.1v2", channels=rgb("fire", "smoke")
    ),
    "misnumbered": lambda frame: replace(frame, header_frame=1020),
    "renumbered": lambda frame: replace(frame, header_frame=frame.number - 1000),
    "oversized": lambda frame: replace(frame, size=6 * sizes(frame)[0]),
    "uncompressed": _of_setup(compression="none"),
    "too_many_channels": _of_setup(channels=(*BEAUTY[:7], *MANY)),
    "floats": _of_setup(channels=HALVES_AS_FLOATS),
    "no_artist": _of_setup(artist=None),
    "stale": lambda frame: replace(frame, inspected=datetime(2025, 12, 1, 8, 0, 0)),  # noqa: DTZ001
    "deleted": lambda frame: replace(frame, deleted=datetime(2026, 3, 20, 9, 0, 0)),  # noqa: DTZ001
}
_LATER: dict[str, Any] = {
    "drift_software": {"software": "Blender 4.1.1"},
    "drift_window": {"overscan": 16},
    "drift_channels": {"channels": CRYPTO[:-4]},
    "drift_types": {"channels": tuple((name, "FLOAT") for name, _ in UTILITY)},
}


def _drifted(frame: Frame) -> Frame:
    for name, changes in _LATER.items():
        place = PLANTED[name]
        if frame.key == place[:4] and frame.number >= place[4]:
            frame = replace(frame, setup=replace(frame.setup, **changes))
    return frame


def frames() -> list[Frame]:
    """Every file: 10,000 that are there or were, and the earlier versions of the pass that was rendered again."""
    present = [frame for clean in clean_frames() if (frame := planted(_drifted(_hosted(clean)))) is not None]
    present += _extra(present)
    present += _later_versions(present)
    stills = FILES - len(present)
    present += [_still(index) for index in range(stills)]
    return [*_superseded(present), *present]


def _hosted(frame: Frame) -> Frame:
    """A machine of the farm, one of which is slow in one shot."""
    index = Random(f"{SEED}/host/{frame.path}").randrange(6)
    *shot, slow = PLANTED["slow_host"]
    if frame.key[:3] == tuple(shot) and index == 0:
        return replace(frame, host=slow, seconds=3.5 * frame.setup.seconds)
    return replace(frame, host=f"farm-{index:04d}")


def _extra(present: Sequence[Frame]) -> list[Frame]:
    """The same frame a second time, its number written with five digits; and a test frame far before the others."""
    (key, number), *_ = PLANTED["duplicate"].items()
    *place, stray = PLANTED["stray"]
    twice = [replace(frame, pad=5) for frame in present if sequence_key(*frame.key) == key and frame.number == number]
    return twice + [replace(frame, number=stray) for frame in present if (*frame.key, frame.number) == (*place, FIRST_FRAME)]


THIRD = {
    "software": "Mantra 20.5.370",
    "compression": "piz",
    "size": (UHD[0], 1716),
    "channels": (*BEAUTY[:10], ("Z", "FLOAT")),
}


def _later_versions(present: Sequence[Frame]) -> list[Frame]:
    """The second version is rendered as the first was, and holds the same pictures; of the third almost everything is new."""
    first = [frame for frame in present if frame.key == PLANTED["versions"]]
    third = [replace(frame, setup=replace(frame.setup, **THIRD), version="v003", day=28) for frame in first]
    more = [replace(third[-1], number=third[-1].number + extra) for extra in (1, 2, 3)]
    return [*(replace(frame, version="v002", day=25) for frame in first), *third, *more]


TEXTURE = RenderSetup("textures", "maketx 2.5.12", rgb(""), "zip", (2048, 2048), kind="tiledimage", color_space=None, artist=None)


def _still(index: int) -> Frame:
    """A texture of the asset library: no frame, no shot."""
    return Frame("library", "assets", f"rock{index:04d}", TEXTURE, 0, host=None, label=f"rock_{index:04d}_basecolor")


def _superseded(present: Sequence[Frame]) -> list[Frame]:
    """What was stored of the pass that was rendered again: the same paths, another build, a week before; one was not finished."""
    key = PLANTED["rerendered"]
    earlier = [
        replace(frame, setup=replace(frame.setup, software="Arnold 7.3.3.0"), superseded=True, day=0, rules=())
        for frame in present
        if frame.key == key
    ]
    unfinished = {"status": "incomplete", "verdict": "incomplete"}
    return [replace(frame, **unfinished) if (*key, frame.number) == PLANTED["mended"] else frame for frame in earlier]


def sizes(frame: Frame) -> tuple[int, int]:
    """Bytes of the file, and of its samples uncompressed."""
    setup = frame.setup
    logical = setup.logical * len(setup.views)
    noise = Random(f"{SEED}/size/{frame.path}").randrange(970, 1030)
    return int(logical * SHARE[setup.compression] * noise / 1000) + 4096, logical


def path_of(frame: Frame) -> str:
    """Where the file lies."""
    return f"s3://renders/library/{frame.label}.exr" if frame.label else frame.path


def payload(frame: Frame) -> JsonObject:
    """The payload that the function would make of it."""
    path = path_of(frame)
    size, _ = sizes(frame)
    name = parse_name(path)
    modified = moment(frame)
    document: JsonObject = {
        "schema_version": 1,
        "inspector_version": "1.0.0",
        "file": {
            "path": path, "bucket": "renders", "object_key": path.removeprefix("s3://renders/"), "path_normalized": path,
            "size_bytes": frame.size or (size if frame.status in WHOLE else size * 2 // 3), "mtime": modified.isoformat() + "Z",
            "etag": hashlib.sha256(path.encode()).hexdigest()[:32], "frame_number": name.frame_number,
            "sequence_key": name.sequence_key, "version_token": name.version_token, "udim": None,
        },
        "parts": [], "channels": [], "attributes": {"parts": []}, "stats": {}, "validation": {}, "errors": [], "warnings": [],
        "persistence": {}, "timings_ms": {},
    }  # fmt: skip
    if frame.status != "unreadable":
        _described(document, frame)
    header = json.dumps([document["parts"], document["channels"], document["attributes"]], sort_keys=True, ensure_ascii=False)
    document["file"] |= _facts(frame, header)
    if frame.status == "damaged":
        message = "part 0: chunk 31 of lines 496 to 511, columns 0 to 2047 gives no pixels: OpenEXR does not decode it"
        document["errors"] = [{"code": "chunk_not_decodable", "message": message, "part": 0}]
    if frame.status == "unreadable":
        document["errors"] = [{"code": "not_exr", "message": "the file does not begin with the magic number", "offset": 0}]
    return document


def moment(frame: Frame) -> datetime:
    """When the file was written: a day of the month for each shot, seconds apart."""
    random = Random(f"{SEED}/day/{'/'.join(frame.key)}")
    day = random.randrange(7, 24) if frame.day is None else frame.day
    return START + timedelta(days=day, minutes=3 * max(0, frame.number - FIRST_FRAME), seconds=random.randrange(3600))


def _facts(frame: Frame, header: str) -> JsonObject:
    """What `file` says of header and chunks."""
    readable = frame.status != "unreadable"
    chunks = -(-(frame.setup.size[1] + 2 * frame.setup.overscan) // 16) * len(frame.setup.views)
    present = chunks if frame.verdict == "complete" else chunks * 2 // 3
    return {
        "header_bytes": 1200 + len(header) // 8 if readable else 0,
        "header_hash": hashlib.sha256(header.encode()).hexdigest(),
        "multipart_count": len(frame.setup.views) if readable else 0,
        "is_deep": readable and frame.setup.deep,
        "is_tiled": readable and frame.setup.tiled,
        "status": frame.status,
        "completeness": {
            "verdict": frame.verdict, "chunks_expected": chunks, "chunks_present": present,
            "bytes_missing": 0 if frame.verdict != "truncated" else 1_000_000,
        } if readable else None,
    }  # fmt: skip


def _described(document: JsonObject, frame: Frame) -> None:
    """Parts, channels, attributes and the results of a policy."""
    setup = frame.setup
    document["parts"] = [_part(frame, index, view) for index, view in enumerate(setup.views)]
    ordered = sorted(setup.channels)
    document["channels"] = [_channel(name, kind, index) for index in range(len(setup.views)) for name, kind in ordered]
    document["attributes"] = {"parts": [_attributes(frame) for _ in setup.views]}
    document["warnings"] = list(frame.warnings)
    if frame.rules:
        document["validation"] = {"results": list(frame.rules)}
    if frame.key in MEASURED:
        document["stats"] = {"channels": [_measured(frame, channel["name"]) for channel in document["channels"]]}


def _channel(name: str, kind: str, part: int) -> JsonObject:
    layer, _, component = name.rpartition(".")
    return {
        "part_index": part, "name": name, "layer_name": layer, "component_name": component, "type": kind,
        "x_sampling": 1, "y_sampling": 1, "p_linear": False,
    }  # fmt: skip


def _measured(frame: Frame, channel: str) -> JsonObject:
    """What was measured of a channel: a level that drifts a little, and the faults that are planted in pixels."""
    width, height = frame.setup.size
    pixels = width * height
    value = _constant(frame, channel)
    picture = _picture(frame)
    mean = _mean(frame, channel, picture) if value is None else value
    nan = 12 if _is_planted("nan", frame) and channel == NAN_CHANNEL else 0
    infinite = 5 if _is_planted("infinity", frame) and channel == INFINITY_CHANNEL else 0
    signed = channel[0] in "PN" or (_is_planted("negative", frame) and channel == NEGATIVE_CHANNEL)
    noise = 0.0 if value is not None else 0.2 * mean
    return {
        "part_index": 0, "channel_name": channel, "pixel_count": pixels, "finite_count": pixels - nan - infinite,
        "nan_count": nan, "pos_inf_count": infinite, "neg_inf_count": 0, "negative_count": 300 if signed else 0,
        "zero_count": pixels if value == 0 else 0, "min_value": -0.25 if signed else mean - noise, "max_value": mean + 4 * noise,
        "mean_value": mean, "stddev_value": noise, "p01": mean - noise, "p50": mean, "p99": mean + 3 * noise,
        "first_nan_x": NAN_AT[0] if nan else None, "first_nan_y": NAN_AT[1] if nan else None,
        "is_constant": value is not None, "is_sampled": False, "is_partial": False,
        "sample_hash": hashlib.sha256((f"{picture}/{channel}" if value is None else f"{value}").encode()).hexdigest(),
        "details": {},
    }  # fmt: skip


def _is_planted(name: str, frame: Frame) -> bool:
    return _stands((*frame.key, frame.number), PLANTED[name])


def _constant(frame: Frame, channel: str) -> float | None:
    """The value of all its samples: opaque alpha, an emission that no light has, and the frames that are planted so."""
    if channel == "A":
        return 1.0
    if channel.startswith("emission.") or (_is_planted("black", frame) and "." not in channel):
        return 0.0
    return 0.18 if _is_planted("constant", frame) and "." not in channel else None


def _picture(frame: Frame) -> str:
    """What the frame shows; two frames that show the same have the same samples."""
    number = frame.number - 1 if _is_planted("same_frame", frame) else frame.number
    version = "v001" if frame.version == "v002" else frame.version
    return "/".join((*frame.key, version, str(number)))


def _mean(frame: Frame, channel: str, picture: str) -> float:
    """A level for each channel of a pass, a slow drift, noise of a percent, a flash and a jump."""
    level = Random(f"{SEED}/level/{frame.key}/{channel}").uniform(0.1, 0.6)
    drift = 1 + 0.004 * (int(picture.rpartition("/")[2]) - FIRST_FRAME)
    *where, first = PLANTED["jump"]
    brighter = frame.key == tuple(where) and frame.number >= first
    factor = 4.0 if _is_planted("flash", frame) else 1.8 if brighter else 1.0
    return level * drift * factor * Random(f"{SEED}/mean/{picture}/{channel}").uniform(0.99, 1.01)


def _part(frame: Frame, index: int, view: str | None) -> JsonObject:
    setup, over = frame.setup, frame.setup.overscan
    width, height = setup.size
    tiled = setup.tiled
    digest = frame.chunk_digest or hashlib.sha256(f"{path_of(frame)}/{index}".encode()).hexdigest()
    return {
        "index": index, "name": f"rgba.{view}" if view else None, "view": view, "type": setup.kind,
        "data_window": _window(-over, -over, width + over, height + over), "display_window": _window(0, 0, width, height),
        "width": width + 2 * over, "height": height + 2 * over, "data_x_offset": -over, "data_y_offset": -over,
        "display_width": width, "display_height": height, "pixel_aspect_ratio": 1.0, "line_order": "increasing_y",
        "compression": setup.compression, "is_deep": setup.deep, "is_tiled": tiled,
        "tile_width": 64 if tiled else None, "tile_height": 64 if tiled else None,
        "tile_level_mode": "one_level" if tiled else None, "tile_rounding_mode": "round_down" if tiled else None,
        "chunk_count": -(-(height + 2 * over) // 16), "color_space": setup.color_space, "chromaticities": None,
        "render_software": setup.software, "render_product": setup.software.split()[0],
        "render_software_version": next(word for word in setup.software.split() if word[0].isdigit()),
        "header_frame": frame.header_frame or frame.number,
        "render_seconds": render_seconds(frame), "peak_memory_mb": setup.memory if frame.host else None, "host": frame.host,
        "logical_bytes": None if setup.deep else setup.logical,
        "chunk_profile": {"sizes_sha256": digest},
    }  # fmt: skip


def _window(left: int, top: int, right: int, bottom: int) -> JsonObject:
    return {"min": {"x": left, "y": top}, "max": {"x": right - 1, "y": bottom - 1}}


def render_seconds(frame: Frame) -> float | None:
    """Seconds of rendering, a little different in every frame."""
    if frame.host is None:
        return None
    seconds = frame.seconds or frame.setup.seconds
    return round(seconds * Random(f"{SEED}/time/{frame.path}").randrange(900, 1100) / 1000, 2)


def _attributes(frame: Frame) -> list[JsonObject]:
    entries: list[tuple[str, str, Any]] = [("software", "string", frame.setup.software), ("framesPerSecond", "rational", [24, 1])]
    if frame.setup.artist:
        entries.append(("artist", "string", frame.setup.artist))
    if frame.host:
        entries += [
            ("Hostname", "string", frame.host),
            ("renderTime", "float", render_seconds(frame)),
            ("cameraName", "string", f"/cam/{frame.shot}_main"),
            ("focalLength", "float", 35.0),
            ("capDate", "string", moment(frame).strftime("%Y:%m:%d %H:%M:%S")),
        ]
    replaced = {name for name, _, _ in frame.extra}
    return [
        {"name": name, "type": kind, "size": 4 if kind == "float" else len(str(value)), "value": value}
        for name, kind, value in (*(entry for entry in entries if entry[0] not in replaced), *frame.extra)
    ]


def stamp(frame: Frame) -> Stamp:
    """The inspection that stored it: a minute after it was written, unless it was planted otherwise."""
    now = frame.inspected or moment(frame) + timedelta(minutes=1)
    identity = hashlib.sha256(f"{path_of(frame)}/{frame.superseded}".encode()).hexdigest()[:32]
    return Stamp(identity, now, is_current=not frame.superseded, deleted_at=frame.deleted)


def build() -> dict[str, pa.Table]:
    """The Arrow tables by name; takes about 20 seconds."""
    return vast_rows.to_tables((vast_rows.rows_of(payload(frame)), stamp(frame)) for frame in frames())


@cache
def tables() -> dict[str, pa.Table]:
    """The Arrow tables by name, kept on disk until a module that has a part in them changes."""
    directory = _kept("tables", SOURCES, lambda scratch: write(scratch, build()))
    return {name: feather.read_table(directory / f"{name}.arrow") for name in vast_schemas.TABLES}


@contextmanager
def served() -> Iterator[LocalVast]:
    """An endpoint with a copy of the catalogue in the schema renders/exr, which is stored once and kept as the tables are."""

    def store(scratch: Path) -> None:
        with LocalVast(data=scratch, buckets=("renders",)) as server:
            load(server, "renders", "exr")

    with tempfile.TemporaryDirectory() as folder:
        kept = _kept("stored", (*SOURCES, "local_vast/**/*.py"), store)
        data = shutil.copytree(kept, Path(folder, "data"))
        with LocalVast(data=data, buckets=("renders",)) as server:
            yield server


def _kept(name: str, patterns: Iterable[str], make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills where none is there for the present sources."""
    sources = [Path(__file__), *(path for pattern in patterns for path in ROOT.glob(pattern))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:16]
    directory = ROOT / ".pytest_cache/seeded_catalogue" / f"{name}-{digest}"
    with (_made(directory.parent) / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of the same run wait for the one that builds
        if not directory.exists():
            scratch = Path(tempfile.mkdtemp(dir=directory.parent))
            make(scratch)
            scratch.rename(directory)
    return directory


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def load(server: Any, bucket: str, schema: str) -> None:
    """Put the tables into an endpoint, each made as the function makes it, its vector index included."""
    import vastdb

    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as transaction:
        place = transaction.bucket(bucket).create_schema(schema)
        for name, rows in tables().items():
            index = vast_schemas.TABLES[name].vector_index
            columns = vast_schemas.wire_schema(rows.schema)
            spec = vastdb.VectorIndexSpec(index.column, index.metric) if index else None
            stored = place.create_table(name, columns, vector_index=spec)
            if rows.num_rows:
                stored.insert(pa.Table.from_arrays(rows.columns, schema=columns))


def write(directory: Path, stored: dict[str, pa.Table]) -> None:
    """The tables as Arrow files, one each."""
    for name, table in stored.items():
        feather.write_feather(table, _made(directory) / f"{name}.arrow", compression="uncompressed")


if __name__ == "__main__":
    write(Path(sys.argv[1]), build())
