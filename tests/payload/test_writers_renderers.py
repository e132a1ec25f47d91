"""What renderers write into headers, by their own names; the names and the form of the values are those of real files."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from exr_bytes import attribute, header, named_part, part, text
from exr_inspector.exr.header import parse_header
from exr_inspector.payload import production
from exr_inspector.payload.writers import values

MATRIX = [float(n) for n in range(16)]


def known(*written: bytes) -> dict[str, Any]:
    """All that is known of a part with these attributes."""
    facts = production.fields(parse_header(header(part(*written))).parts[0])
    return {field: value for field, value in facts.items() if value is not None}


def texts(**written: str) -> tuple[bytes, ...]:
    """String attributes."""
    return tuple(text(name, value) for name, value in written.items())


def real(name: str, value: float) -> bytes:
    """A float attribute."""
    return attribute(name, "float", struct.pack("<f", value))


def double(name: str, value: float) -> bytes:
    """A double attribute."""
    return attribute(name, "double", struct.pack("<d", value))


def whole(name: str, value: int) -> bytes:
    """An int attribute."""
    return attribute(name, "int", struct.pack("<i", value))


def reals(name: str, kind: str, *numbers: float) -> bytes:
    """A vector of floats."""
    return attribute(name, kind, struct.pack(f"<{len(numbers)}f", *numbers))


def matrix(name: str) -> bytes:
    """The matrix of 0 to 15."""
    return attribute(name, "m44f", struct.pack("<16f", *MATRIX))


OPENIMAGEIO = text("Software", "OpenImageIO 2.3.14 : oiiotool in.exr --resize 50% -o out.exr")
"""What a converter leaves that took the picture from a renderer."""

ARNOLD = (
    text("arnold/version", "Arnold 7.5.0.0 [0b1c2d3e] linux x86_64 clang-15.0.7 oiio-2.6.3"),
    text("arnold/host/name", "render-host7"),
    text("arnold/host/hw", "2 x Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz (32 cores, 64 logical) with 65154MB"),
    real("arnold/stats/time/render", 45.25), real("arnold/stats/time/setup", 1.5), real("arnold/stats/memory/peak", 967.5),
    real("arnold/stats/memory/start", 281.25), whole("arnold/AA_samples", 6), whole("arnold/AA_samples_max", 20),
    real("arnold/frame", 1001), real("arnold/fps", 24), text("arnold/color_space", "ACEScg"),
    real("CameraFov", 54.5), real("CameraFilmApertureHorizontal", 1), real("CameraFilmApertureVertical", 0.5625),
    real("CameraFocalLength", 0.972), real("arnold/camera/near_clip", 0.125), real("arnold/camera/far_clip", 10000),
    matrix("worldToCamera"),
)  # fmt: skip
ARNOLD_FACTS = {
    "color_space": "ACEScg", "color_space_source": "arnold/color_space", "render_product": "Arnold",
    "render_software": "Arnold 7.5.0.0 [0b1c2d3e] linux x86_64 clang-15.0.7 oiio-2.6.3", "render_software_version": "7.5.0.0",
    "render_seconds": 45.25, "peak_memory_mb": 967.5, "host": "render-host7",
    "processor": "2 x Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz (32 cores, 64 logical) with 65154MB", "render_samples": 6,
    "header_frame": 1001, "fps": 24.0,
    "camera": {"field_of_view": 54.5, "near_clip": 0.125, "far_clip": 10000.0, "world_to_camera": MATRIX},
}  # fmt: skip


def test_arnold_5_to_7() -> None:
    """Seconds of rendering without setup, megabytes at the peak; lengths of a film back that is 1 wide have no unit."""
    assert known(*ARNOLD) == ARNOLD_FACTS


def test_arnold_writes_minus_one_where_it_knows_nothing() -> None:
    """A picture that was written while the render went on."""
    written = (
        text("arnold/version", "Arnold 6.1.0.0 [95d61e2c] windows"), text("arnold/host/name", "unknown"),
        real("arnold/stats/time/render", -1), real("arnold/stats/memory/peak", -1), real("arnold/frame", 12.5),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "Arnold", "render_software": "Arnold 6.1.0.0 [95d61e2c] windows", "render_software_version": "6.1.0.0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "software", "version", "camera"),
    [
        ((text("arnold", "4.2.0.5 darwin clang-4.2.0 oiio-1.2.2"),), "4.2.0.5 darwin clang-4.2.0 oiio-1.2.2", "4.2.0.5", None),
        (texts(rendererinfo="Arnold 3.4.71.1 linux 64-bit", camerainfo="camera1"), "Arnold 3.4.71.1 linux 64-bit", "3.4.71.1",
         {"name": "camera1"}),
    ],
)  # fmt: skip
def test_older_arnolds_write_one_text(
    written: tuple[bytes, ...], software: str, version: str, camera: dict[str, str] | None
) -> None:
    """Arnold 4 and 3."""
    expected = {"render_product": "Arnold", "render_software": software, "render_software_version": version, "camera": camera}
    assert known(*written) == {field: value for field, value in expected.items() if value is not None}


CAMERA_OF_VRAY = (
    real("cameraFocalLength", 52), real("cameraFov", 27), real("cameraAperture", 25), real("cameraFNumber", 8),
    real("cameraNearClip", 0), real("cameraFarClip", 1e30), real("cameraFarRange", 1e18), real("cameraNearRange", 0),
    whole("cameraProjection", 0), real("cameraTargetDistance", 200), matrix("cameraTransform"),
)  # fmt: skip
VRAY = (
    *texts(**{
        "vrayInfo/vrayversion": "Version of V-Ray for Maya 5.20.02", "vrayInfo/vraycore": "5.20.01",
        "vrayInfo/rendertime": " 0h 28m 39.3s", "vrayInfo/peakMemory": "50399.55 MiB", "vrayInfo/computername": "rendersl-muc04",
        "vrayInfo/cpu": "INTEL/Model:15,Family:6,Stepping:1,Cache:0", "vrayInfo/ram": "65440MB", "vrayInfo/vmem": "68368MB",
        "vrayInfo/camera": "CAM_P001", "vrayInfo/filename": "/jobs/pipe/scenes/light_v0003.mb", "vrayInfo/frame": "01001",
        "vrayInfo/scenename": "light_v0003", "vrayInfo/time": "21:05:13", "vrayInfo/date": "2020/Jan/30",
    }),
    *CAMERA_OF_VRAY,
)  # fmt: skip
VRAY_CAMERA = {"focal_length": 52.0, "field_of_view": 27.0, "horizontal_aperture": 25.0, "f_number": 8.0, "transform": MATRIX}


def test_vray_in_a_host_application() -> None:
    """The version is the plug-in's, memory the peak and not the machine's; far planes of 1e30 and near ones of 0 say nothing."""
    assert known(*VRAY) == {
        "render_product": "V-Ray", "render_software": "Version of V-Ray for Maya 5.20.02", "render_software_version": "5.20.02",
        "render_seconds": 1719.3, "peak_memory_mb": 50399.55, "host": "rendersl-muc04",
        "processor": "INTEL/Model:15,Family:6,Stepping:1,Cache:0", "scene_file": "/jobs/pipe/scenes/light_v0003.mb",
        "header_frame": 1001, "camera": {"name": "CAM_P001", **VRAY_CAMERA},
    }  # fmt: skip


def test_vray_standalone_has_its_core_alone() -> None:
    """A film back that is 1 wide has no millimetres, and so no focal length; the field of view stays."""
    written = (
        *texts(**{"vrayInfo/vraycore": "4.20.01", "vrayInfo/rendertime": " 0h  1m 27.4s", "vrayInfo/peakMemory": "794.15 MiB"}),
        real("cameraAperture", 1.0000001), real("cameraFocalLength", 1.2042), real("cameraFov", 45), real("cameraFNumber", 2),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "V-Ray", "render_software": "4.20.01", "render_software_version": "4.20.01", "render_seconds": 87.4,
        "peak_memory_mb": 794.15, "camera": {"field_of_view": 45.0, "f_number": 2.0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ({"vrayInfo/vrayversion": "Internal V-Ray version Adv 3.40.01", "vrayInfo/vraycore": "3.25.01"}, "3.40.01"),
        ({"vrayInfo/vrayversion": "Version of V-Ray for Maya Next", "vrayInfo/vraycore": "4.30.00"}, "4.30.00"),
    ],
)
def test_the_version_of_vray_is_the_first_that_is_a_number(written: dict[str, str], version: str) -> None:
    """Of the plug-in, else of the core."""
    facts = known(*texts(**written))
    assert (facts["render_product"], facts["render_software_version"]) == ("V-Ray", version)


def test_a_raw_image_of_vray_has_no_render_time_yet() -> None:
    """It is written before the render ends, with a time of 0."""
    assert "render_seconds" not in known(text("vrayInfo/rendertime", " 0h  0m  0.0s"))


def test_vray_for_3ds_max_before_vrayinfo() -> None:
    """The camera alone tells the renderer."""
    assert known(*CAMERA_OF_VRAY) == {"render_product": "V-Ray", "camera": VRAY_CAMERA}


def test_redshift() -> None:
    """The field of view is in radians; the unit of the aperture is not known."""
    written = (
        *texts(**{"rs/version": "3.5.19", "rs/hostname": "rsfarm-03"}), real("rs/camera/fov", 0.952),
        real("rs/camera/FStop", 5.5), real("rs/camera/DOFFocusDistance", 120), real("rs/camera/nearPlane", 0.125),
        real("rs/camera/farPlane", 1e5),
        real("rs/camera/aspect", 1.5), reals("rs/camera/aperture", "v2f", 1.417, 0.945), matrix("rs/camera/transform"),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "Redshift", "render_software": "3.5.19", "render_software_version": "3.5.19", "host": "rsfarm-03",
        "camera": {"field_of_view": 54.5456, "f_number": 5.5, "focus_distance": 120.0, "near_clip": 0.125, "far_clip": 1e5,
                   "transform": MATRIX},
    }  # fmt: skip


def test_redshift_is_told_by_its_camera_alone() -> None:
    """A file whose other attributes were dropped."""
    assert known(real("rs/camera/fov", 0.5)) == {"render_product": "Redshift", "camera": {"field_of_view": 28.6479}}


def test_renderman_for_blender() -> None:
    """The application's own names: millimetres, the largest number of samples, the user."""
    written = (
        *texts(dcc="Blender (3, 3, 0)\nRenderman for Blender 24.4", renderscene="/shows/apollo/sh020.blend", user="mika",
               integrator="PxrPathTracer", statistics="/tmp/stats.0001.xml", comment=""),
        real("focal", 50), real("haperture", 36), real("vaperture", 24), real("fstop", 2.5), real("focaldistance", 10),
        reals("samples", "v2f", 4, 256), real("pixelvariance", 0.01),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "RenderMan", "render_software": "Renderman for Blender 24.4", "render_software_version": "24.4",
        "render_samples": 256, "scene_file": "/shows/apollo/sh020.blend", "artist": "mika",
        "camera": {"focal_length": 50.0, "horizontal_aperture": 36.0, "vertical_aperture": 24.0, "f_number": 2.5,
                   "focus_distance": 10.0},
    }  # fmt: skip


def test_names_of_one_word_count_only_for_the_renderer_that_writes_them() -> None:
    """`user`, `focal` and `Lens` may be anybody's."""
    assert known(*texts(user="mika", renderscene="/a.blend", Lens="50.00", Frame="12"), real("focal", 50)) == {}


def husk(delegate: str, **stats: Any) -> bytes:
    """What husk writes of a render, as JSON."""
    return text("husk:render_stats", json.dumps({"__delegate": delegate, **stats}))


KARMA = (
    text("Software", "Houdini 20.5.332 : Karma XPU"), text("HostComputer", "PC-01 - AMD Ryzen Threadripper 3970X"),
    husk("BRAY_HdKarmaXPU", system_time={"wallclock": 154.25, "user": 1200.0}, load_time={"wallclock": 1.5}, ttfp=2300,
         system_memory={"peak": 4 << 30, "current": 3 << 30}),
    text("husk:command", "husk -R BRAY_HdKarmaXPU shot.usd"), text("husk:usd_file", "/shows/apollo/shot.usd"),
    real("renderTime", 160), text("renderTime_s", "2:40"), text("renderMemory_s", "4.50 GB"), whole("frame", 1001),
    text("camera", "/cameras/shotcam"), attribute("framesPerSecond", "rational", struct.pack("<iI", 24000, 1001)),
)  # fmt: skip


def test_karma() -> None:
    """Statistics of husk come before its plain attributes; the host's text names its processor."""
    assert known(*KARMA) == {
        "render_product": "Karma", "render_software": "Houdini 20.5.332 : Karma XPU", "render_software_version": "20.5.332",
        "render_seconds": 154.25, "peak_memory_mb": 4096.0, "host": "PC-01", "processor": "AMD Ryzen Threadripper 3970X",
        "scene_file": "/shows/apollo/shot.usd", "header_frame": 1001, "fps": 23.976024, "camera": {"name": "/cameras/shotcam"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "stats", ["{not json", "[]", "null", '{"system_time": 5, "system_memory": {"peak": "4 GB"}}', "[" * 5000, "1" + "0" * 400]
)
def test_karma_without_readable_statistics(stats: str) -> None:
    """The plain attributes tell the time and the memory."""
    written = (text("husk:render_stats", stats), text("husk:command", "husk -R BRAY_HdKarma shot.usd"))
    assert known(*written, real("renderTime", 83.5), text("renderMemory_s", "1.50 GB")) == {
        "render_product": "Karma", "render_seconds": 83.5, "peak_memory_mb": 1536.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("delegate", "product"),
    [
        ("BRAY_HdKarma", "Karma"), ("HdArnoldRendererPlugin", "Arnold"), ("HdPrmanLoaderRendererPlugin", "RenderMan"),
        ("HdPrmanXpuLoaderRendererPlugin", "RenderMan"), ("HdRedshiftRendererPlugin", "Redshift"),
        ("HdVRayRendererPlugin", "V-Ray"), ("HdMoonrayRendererPlugin", "MoonRay"), ("Hd3DelightRendererPlugin", "3Delight"),
        ("HdCyclesRendererPlugin", "Cycles"), ("HdStormRendererPlugin", "Houdini"),
    ],
)  # fmt: skip
def test_husk_names_the_renderer_that_it_ran(delegate: str, product: str) -> None:
    """By the statistics or by the command; Houdini's plain memory is not believed for other renderers."""
    of_stats = known(husk(delegate, system_time={"wallclock": 20.5}), text("Software", "Houdini 20.5.370"))
    assert of_stats == {
        "render_product": product, "render_seconds": 20.5,
        **({} if product != "Houdini" else {"render_software": "Houdini 20.5.370", "render_software_version": "20.5.370"}),
    }  # fmt: skip
    of_command = known(text("husk:command", f"husk -R {delegate} shot.usd"), text("renderMemory_s", "418.39 GB"))
    assert of_command == {"render_product": product, **({"peak_memory_mb": 428431.36} if product == "Karma" else {})}


def test_houdini_without_a_renderers_name() -> None:
    """As Mantra's files: the application, and what it counted."""
    assert known(text("software", "Houdini 18.5.759"), real("renderTime", 12.5), text("HostComputer", "blade-7")) == {
        "render_product": "Houdini", "render_software": "Houdini 18.5.759", "render_software_version": "18.5.759",
        "render_seconds": 12.5, "host": "blade-7",
    }  # fmt: skip


BLENDER = texts(**{
    "File": "D:\\projects\\sh020.blend", "Date": "2022/01/21 10:22:54", "Frame": "172", "Time": "00:00:07:04",
    "Camera": "shotcam", "Lens": "50.00", "Scene": "Scene", "RenderTime": "01:02:03.50", "Memory": "1843.22M",
    "Hostname": "farm-0042",
    "cycles.View Layer.render_time": "00:10.00", "cycles.View Layer.total_time": "00:12.00", "cycles.View Layer.samples": "128",
    "cycles.View Layer.synchronization_time": "00:02.00",
})  # fmt: skip
BLENDER_FACTS = {
    "render_product": "Blender", "render_seconds": 3723.5, "peak_memory_mb": 1843.22, "host": "farm-0042", "render_samples": 128,
    "scene_file": "D:\\projects\\sh020.blend", "header_frame": 172, "timecode": "00:00:07:04",
    "camera": {"name": "shotcam", "focal_length": 50.0},
}  # fmt: skip


def test_blender_writes_its_stamp_as_text() -> None:
    """Without `Software` before Blender 5; the time is that of all layers; `Lens` is millimetres."""
    assert known(*BLENDER) == BLENDER_FACTS
    software = {"render_software": "Blender 5.0.0", "render_software_version": "5.0.0"}
    assert known(*BLENDER, text("Software", "Blender 5.0.0")) == BLENDER_FACTS | software


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"File": "<untitled>", "RenderTime": "00:00.00", "Frame": "001"}, {"header_frame": 1}),
        ({"BlenderMultiChannel": "Blender V2.55.1 and newer"}, {}),
        ({"cycles.bg.render_time": "00:10.25", "cycles.fg.render_time": "00:03.00"}, {"render_seconds": 10.25}),
        (
            {"File": "/a.blend", "Frame": "-12", "Lens": "0.00", "Memory": "0.00M"},
            {"scene_file": "/a.blend", "header_frame": -12},
        ),
    ],
)
def test_blender_is_told_by_any_of_its_names(written: dict[str, str], expected: dict[str, Any]) -> None:
    """A scene that was never saved, a layered file, Cycles without the stamp; 0 says nothing."""
    assert known(*texts(**written)) == {"render_product": "Blender", **expected}


UNREAL = {
    "unreal/jobName": "Seq", "unreal/jobAuthor": "td", "unreal/sequenceName": "SQ010", "unreal/shotName": "sh020",
    "unreal/sequenceFrameNumber": "1001", "unreal/shotFrameNumber": "0001", "unreal/frameRate": "24.0",
    "unreal/frameRenderDuration": "+00:01:02.250", "unreal/stats/memory/peakUsedPhysicalMB": "9216",
    "unreal/stats/memory/totalPhysicalMB": "65440", "unreal/system/cpuBrand": "AMD Ryzen Threadripper 3970X 32-Core Processor",
    "unreal/colorSpace/source": "Utility - Linear - sRGB", "unreal/colorSpace/destination": "ACES - ACEScg",
    "unreal/cameraName": "CineCam_A", "unreal/camera/shutterTiming": "FrameCenter",
}  # fmt: skip
UNREAL_CAMERA = {
    "focalLength": "35.0", "minFocalLength": "4.0", "maxFocalLength": "1000.0", "fstop": "2.8", "minFStop": "1.2", "fov": "37.5",
    "focalDistance": "1000.0", "sensorWidth": "23.76", "sensorHeight": "13.365", "sensorAspectRatio": "1.777778",
}  # fmt: skip


@pytest.mark.parametrize("place", ["camera/FinalImage", "layerData/rgba", "layerData/ActorHitProxyMask00"])
def test_unreal(place: str) -> None:
    """Movie Render Queue and Movie Render Graph put a camera's numbers into different places."""
    camera = {f"unreal/{place}/{name}": value for name, value in UNREAL_CAMERA.items()}
    assert known(*texts(**UNREAL, **camera)) == {
        "color_space": "ACES - ACEScg", "color_space_source": "unreal/colorSpace/destination", "render_product": "Unreal Engine",
        "render_seconds": 62.25, "peak_memory_mb": 9216.0, "processor": "AMD Ryzen Threadripper 3970X 32-Core Processor",
        "artist": "td", "header_frame": 1001, "shot_name": "sh020", "sequence_name": "SQ010", "fps": 24.0,
        "camera": {"name": "CineCam_A", "focal_length": 35.0, "field_of_view": 37.5, "horizontal_aperture": 23.76,
                   "vertical_aperture": 13.365, "f_number": 2.8, "focus_distance": 1000.0},
    }  # fmt: skip


def test_unreals_placeholders_are_no_names() -> None:
    """A sequence without shots or cameras."""
    written = {"unreal/shotName": "NoShot", "unreal/cameraName": "NoCamera", "unreal/sequenceFrameNumber": "-012"}
    assert known(*texts(**written)) == {"render_product": "Unreal Engine", "header_frame": -12}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("+00:00:00.012", 0.012), ("+1.01:02:03.500", 90123.5), ("00:00:06.500", 6.5), ("-00:00:01.000", None)],
)
def test_time_spans_of_unreal_are_durations(written: str, seconds: float | None) -> None:
    """A sign, days before a point, hours, minutes and seconds."""
    assert values.duration(written) == seconds


def run(host: str, seconds: float, samples: int) -> dict[str, Any]:
    """One entry of MoonRay's history."""
    return {
        "sampling": {"samplingType": "ADAPTIVE", "minSamples": 16, "maxSamples": samples},
        "execEnv": {"hostname": host, "numberOfThreads": 36},
        "timingSummary": {"renderPrepSec": 7.5, "mcrtSec": seconds},
    }  # fmt: skip


def test_moonray_adds_the_runs_of_a_resumed_render() -> None:
    """The time of all runs without preparation; host and samples of the last."""
    history = json.dumps({"history": [run("pearldiva.example.net", 21.25, 1024), run("chakram.example.net", 16.5, 4096)]})
    assert known(text("resumeHistory", history), whole("progressCheckpointTileSamples", 262144)) == {
        "render_product": "MoonRay", "render_seconds": 37.75, "host": "chakram.example.net", "render_samples": 4096,
    }  # fmt: skip


@pytest.mark.parametrize(
    "history",
    [
        "{}", '{"history": {}}', '{"history": [1, {"execEnv": {"hostname": 7}, "sampling": {"maxSamples": true}}]}',
        '{"history": [{"timingSummary": {"mcrtSec": -1}, "execEnv": {"hostname": "unknown"}, "sampling": {"maxSamples": 1e3}}]}',
    ],
)  # fmt: skip
def test_a_history_of_another_form_says_nothing(history: str) -> None:
    """Samples come from the adaptive settings then."""
    assert known(text("resumeHistory", history), reals("adaptiveSamplingV1", "v3f", 16, 4096, 0.002)) == {
        "render_product": "MoonRay", "render_samples": 4096,
    }  # fmt: skip


def test_a_host_in_json_can_be_stored() -> None:
    """JSON spells lone surrogates, which UTF-8 has none of."""
    history = '{"history": [{"execEnv": {"hostname": "farm\\ud800"}}]}'
    assert known(text("resumeHistory", history))["host"] == "farm?"


def test_dreamworks_names_the_machine() -> None:
    """And no program."""
    assert known(*texts(machine="chakram.pdi.com", uuid="9aeef2e3-fc60-491b-96ab-683c71804ad0")) == {"host": "chakram.pdi.com"}


def test_3delight() -> None:
    """A far plane of 1e38 is none."""
    written = (
        text("software", '3Delight 2.1.23 darwin-x86_64 (Aug 17 2020, f7230f) "Re-Animator"'), real("near", 0.125),
        real("far", 1e38), real("fieldOfViewHorizontal", 45.5), real("fieldOfViewVertical", 35), matrix("worldToCamera"),
        matrix("worldToNDC"),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "3Delight", "render_software": '3Delight 2.1.23 darwin-x86_64 (Aug 17 2020, f7230f) "Re-Animator"',
        "render_software_version": "2.1.23",
        "camera": {"field_of_view": 45.5, "near_clip": 0.125, "world_to_camera": MATRIX, "world_to_ndc": MATRIX},
    }  # fmt: skip


def test_mental_ray_and_iray_write_comments() -> None:
    """The text tells mental ray's version; Iray has names of its own."""
    assert known(text("comments", "created with mental ray 3.13.1.10")) == {
        "render_product": "mental ray", "render_software": "created with mental ray 3.13.1.10",
        "render_software_version": "3.13.1.10",
    }  # fmt: skip
    written = (
        text("comments", "\nGenerated by [0x1] Iray for Maya\n"), text("IFM_camera", "camera_MEShape3"),
        double("IFM_focalLength", 35), double("IFM_frame", 12), whole("IFM_iterations", 4000),
        whole("IFM_maxIterations", 5000), real("isoSpeed", 800),
    )  # fmt: skip
    assert known(*written) == {
        "render_product": "Iray", "render_samples": 5000, "header_frame": 12,
        "camera": {"name": "camera_MEShape3", "focal_length": 35.0, "iso": 800.0},
    }  # fmt: skip


def test_corona_and_katana() -> None:
    """A CXR file by its prefix, Katana by the renderer that it names."""
    assert known(text("corona.iscoronaexr", "1"), text("corona.cm.exposure", "0")) == {"render_product": "Corona"}
    katana = {"render_product": "Katana", "render_software": "Katana 2.8.32", "render_software_version": "2.8.32"}
    assert known(*texts(**{"spi:package": "Katana 2.8.32", "spi:renderer": "Katana 2.8.32"})) == katana


@pytest.mark.parametrize(
    ("written", "product"),
    [
        (ARNOLD, "Arnold"), (VRAY, "V-Ray"), (CAMERA_OF_VRAY, "V-Ray"), (BLENDER, "Blender"), (texts(**UNREAL), "Unreal Engine"),
        ((text("rs/version", "3.5.19"),), "Redshift"), ((text("comments", "created with mental ray 3.8.1.26"),), "mental ray"),
        ((text("rendererinfo", "Arnold 3.4.71.1 linux"),), "Arnold"), ((text("husk:command", "husk -R BRAY_HdKarma"),), "Karma"),
    ],
)  # fmt: skip
def test_a_converter_after_the_renderer_changes_no_fact(written: tuple[bytes, ...], product: str) -> None:
    """`Software` is then the converter's, everything else is the renderer's."""
    before, after = known(*written), known(*written, OPENIMAGEIO)
    assert after.pop("converter", "OpenImageIO 2.3.14") == "OpenImageIO 2.3.14"
    assert after == before
    assert after["render_product"] == product


@pytest.mark.parametrize(
    "software",
    [
        "OpenImageIO 2.2.1 : d:/Work/arnold/test/oiiotool --resize 256x256 blender.exr -o vray.exr",
        "OpenImageIO 1.5.18 : oiiotool redshift.exr -d half -o out.exr",
        "OpenImageIO 2.6.3.0dev : CE1F1D8D6B7505C94D0CFB08B193DFD48DEEBF72",
    ],
)
def test_a_path_in_a_command_line_names_no_renderer(software: str) -> None:
    """A folder called arnold is not Arnold."""
    facts = known(text("Software", software))
    assert (facts["render_product"], facts["render_software_version"]) == ("OpenImageIO", software.split()[1])


def test_a_command_line_alone_names_nothing() -> None:
    """Whatever it runs."""
    assert known(text("Software", "/opt/arnold/bin/kick -i scene.ass -o out.exr")) == {}


def test_each_part_has_its_own_facts() -> None:
    """Renderers repeat their names in each part; where one has them alone, the others have none."""
    parts = (named_part("rgba", "scanlineimage", 2, *ARNOLD), named_part("N", "scanlineimage", 2))
    first, second = (production.fields(one) for one in parse_header(header(*parts)).parts)
    assert {field: value for field, value in first.items() if value is not None} == ARNOLD_FACTS
    assert set(second.values()) == {None}


def test_names_are_compared_without_case() -> None:
    """As libraries change it."""
    assert known(text("VRAYINFO/RENDERTIME", " 0h  0m  9.5s")) == {"render_product": "V-Ray", "render_seconds": 9.5}
