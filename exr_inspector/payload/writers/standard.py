"""Names that belong to no one product: OpenEXR's standard attributes, and those that libraries write for every program."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Name, Writer

# Sources: OpenEXR, "Standard Optional Attributes" (ImfStandardAttributes.h); OpenImageIO, openexroutput.cpp and openexrinput.cpp
# (ImageDescription, DocumentName, HostComputer, Artist, Software ...; a host may come with its processor behind " - "); ACES
# containers (SMPTE ST 2065-4: `focalLength`, `timecodeRate`, `reelName` and names that begin with `interim.`) and the proposal of
# its attributes for OpenEXR (`colorTemperature` in kelvin, `tint`, `fStop`); Adobe and KDE (XMP); AliceVision, io.cpp; images
# from DreamWorks in OpenMoonRay (`machine` "chakram.pdi.com", and nothing that names the program). A sensor's dimensions are not
# those of the area that the picture shows, so they are not an aperture.
STANDARD = Writer(
    product="",
    kind=Kind.CONVERTER,
    names=(
        Name("software", "software", values.text),
        Name("creator", "software", values.text),
        Name("renderer", "software", values.text),
        Name("XML:com.adobe.xmp", "software", values.xmp_tool),
        Name("xmp", "software", values.xmp_tool),
        Name("hostcomputer", "host", values.before(" - ")),
        Name("hostcomputer", "processor", values.after(" - ")),
        Name("hostname", "host", values.text),
        Name("computername", "host", values.text),
        Name("machine", "host", values.text),
        Name("rendertime", "seconds", values.elapsed),
        Name("peakmemory", "memory", values.memory),
        Name("artist", "artist", values.text),
        Name("framesPerSecond", "fps", values.rate),
        Name("timecodeRate", "fps", values.rate),
        Name("timeCode", "timecode", values.timecode),
        Name("colorInteropID", "color_interop_id", values.text),
        Name("oiio:ColorSpace", "color_space", values.text),
        Name("colorSpace", "color_space", values.text),
        Name("AliceVision:ColorSpace", "color_space", values.text),
        Name("cameraLabel", "camera.name", values.text),
        Name("cameraMake", "camera.make", values.text),
        Name("cameraModel", "camera.model", values.text),
        Name("cameraSerialNumber", "camera.serial_number", values.text),
        Name("lensModel", "camera.lens", values.text),
        Name("lensSerialNumber", "camera.lens_serial_number", values.text),
        Name("nominalFocalLength", "camera.focal_length", values.positive),
        Name("effectiveFocalLength", "camera.focal_length", values.positive),
        Name("pinholeFocalLength", "camera.focal_length", values.positive),
        Name("focalLength", "camera.focal_length", values.positive),
        # The standard attribute `aperture` is the f-number; elsewhere (`rs/camera/aperture`) the word means the film back.
        Name("aperture", "camera.f_number", values.positive),
        Name("fStop", "camera.f_number", values.positive),
        Name("tStop", "camera.t_stop", values.positive),
        Name("focus", "camera.focus_distance", values.positive),
        Name("shutterAngle", "camera.shutter_angle", values.positive),
        Name("interim.camera.shutterAngle", "camera.shutter_angle", values.positive),
        Name("expTime", "camera.exposure_time", values.positive),
        Name("isoSpeed", "camera.iso", values.positive),
        Name("worldToCamera", "camera.world_to_camera", values.matrix),
        Name("worldToNDC", "camera.world_to_ndc", values.matrix),
        Name("cameraCCTSetting", "camera.white_balance", values.positive),
        Name("colorTemperature", "camera.white_balance", values.positive),
        Name("interim.camera.wbKelvin", "camera.white_balance", values.positive),
        Name("cameraTintSetting", "camera.tint", values.number),
        Name("tint", "camera.tint", values.number),
        Name("reelName", "camera.reel", values.text),
        Name("interim.clip.cameraClipName", "camera.clip_name", values.stem),
    ),
)
