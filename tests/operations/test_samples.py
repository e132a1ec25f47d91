"""The sample renders are what the rest of the project believes they are."""

from __future__ import annotations

import struct
from pathlib import Path

import OpenEXR
import pytest

from exr_inspector.operations.samples import AOVS, SAMPLES, beauty, write_samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with every sample."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


def find(directory: Path, word: str) -> Path:
    """The first sample whose path contains `word`."""
    return next(directory / relative for relative in SAMPLES if word in relative)


def test_samples_are_the_same_bytes_on_every_run(samples: Path, tmp_path: Path) -> None:
    """Nothing in a sample comes from the clock, the machine's name or the order of threads."""
    write_samples(tmp_path)
    for relative in SAMPLES:
        assert (tmp_path / relative).read_bytes() == (samples / relative).read_bytes(), relative


def test_the_beauty_frame_has_ten_half_aovs(samples: Path) -> None:
    """RGBA and three channels for each of ten AOVs, all of them half."""
    channels = OpenEXR.File(str(find(samples, "1001")), separate_channels=True).channels()
    assert len(AOVS) == 10
    assert set(channels) == {*"RGBA", *(f"{layer}.{c}" for layer in AOVS for c in "RGB")}
    assert {str(channel.pixels.dtype) for channel in channels.values()} == {"float16"}


def test_the_stereo_file_has_a_part_for_each_eye_and_pass(samples: Path) -> None:
    """Four named parts, two views."""
    parts = OpenEXR.File(str(find(samples, "stereo"))).parts
    assert [part.name() for part in parts] == ["rgb.left", "depth.left", "rgb.right", "depth.right"]
    assert {part.header["view"] for part in parts} == {"left", "right"}


def test_the_texture_has_every_level(samples: Path) -> None:
    """All 26 tiles of the eight levels are there, one after the other to the end of the file, and level 0 decodes."""
    path = find(samples, "textures")
    data, tiles = path.read_bytes(), []
    position = struct.unpack_from("<Q", data, data.index(b"tiledimage\0") + len(b"tiledimage\0"))[0]
    while position < len(data):
        x, y, level, same_level, size = struct.unpack_from("<5i", data, position)
        assert level == same_level
        tiles.append((level, y, x))
        position += 20 + size
    assert position == len(data)
    assert tiles == [(n, y, x) for n in range(8) for y in range(max(1, 4 >> n)) for x in range(max(1, 4 >> n))]


def test_the_cut_frame_is_the_beginning_of_a_sound_one(samples: Path, tmp_path: Path) -> None:
    """The broken frame is a prefix: its header and offset table are intact, its last third is missing."""
    beauty(tmp_path / "sound.exr", software="Blender 4.1.1", samples=128)
    sound, cut = (tmp_path / "sound.exr").read_bytes(), find(samples, "beauty/v002/sq010").read_bytes()
    assert sound.startswith(cut)
    assert len(cut) == len(sound) * 2 // 3


def test_chroma_is_stored_at_half_resolution(samples: Path) -> None:
    """RY and BY are sampled every second pixel in both directions."""
    channels = OpenEXR.File(str(find(samples, "plate")), separate_channels=True).channels()
    assert {name: (c.xSampling, c.ySampling) for name, c in channels.items()} == {"Y": (1, 1), "RY": (2, 2), "BY": (2, 2)}
    assert channels["RY"].pixels.shape == (54, 96)


def test_deep_pixels_hold_zero_to_three_samples(samples: Path) -> None:
    """The deep sample has empty pixels beside full ones."""
    depth = OpenEXR.File(str(find(samples, "deep"))).channels()["Z"].pixels
    counts = {0 if pixel is None else len(pixel) for pixel in depth.flat}
    assert counts == {0, 1, 2, 3}
