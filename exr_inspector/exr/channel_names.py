"""What the name of a channel is made of: view, layer, component, or the wavelength of a spectral channel.

Views are told apart as OpenEXR does (`ImfMultiView.h`): of a file with `multiView`, a name without a dot belongs to the first
view, else the last section before the component is the view, where it is one of the list. Nuke writes the view first
(`left.depth.Z`) and leaves it out for the first view, so both are read as well. Multi-part files say the view of each part in
`view`, and Nuke and Gaffer repeat it in the part's name (`rgba.main`, `depth_left`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Spectral layout 1.0 (Fichet, Pacanowski and Wilkie, "An OpenEXR Layout for Spectral Images", JCGT 10.3, 2021): the Stokes vector
# `S0` to `S3` of emissive images, `T` of reflective ones, with a second wavelength where light is re-emitted at another one. The
# decimal sign is a comma.
_WAVELENGTH = r"\d*,?\d+(?:[eE][+-]?\d+)?(?:da|[YZEPTGMkhdcmunp])?(?:m|Hz)"
_SPECTRAL = re.compile(rf"(?:(?P<root>.+)\.)?(?P<stokes>S[0-3]|T)\.(?P<wavelength>{_WAVELENGTH}(?:\.{_WAVELENGTH})?)")
# Mitsuba's films write bands, `360.00-407.00nm`, whose dots are decimal signs.
_BAND = re.compile(r"\d+(?:\.\d+)?-\d+(?:\.\d+)?nm")
# Nuke's scripts begin with the view `main`; `left` and `right` are those of its stereo scripts.
USUAL_VIEWS = ("left", "right", "main")


def split_name(name: str) -> tuple[str, str]:
    """Layer and component: what stands before and after the last dot, except that a wavelength is one component.

    A name that ends with a dot has no component and belongs to no layer.

    >>> split_name("diffuse.left.R"), split_name("R"), split_name("G.")
    (('diffuse.left', 'R'), ('', 'R'), ('', 'G.'))
    >>> split_name("T.380,000000nm.390,000000nm"), split_name("360.00-407.00nm")
    (('T', '380,000000nm.390,000000nm'), ('', '360.00-407.00nm'))
    """
    layer, dot, component = name.rpartition(".")
    if not dot or not component:
        return "", name
    if component[-1] in "mz":
        if _BAND.fullmatch(name):
            return "", name
        if match := _SPECTRAL.fullmatch(name):
            return name[: match.start("wavelength") - 1], match["wavelength"]
    return layer, component


def stokes_component(layer: str, component: str) -> str | None:
    """Which quantity a spectral channel holds: `S0` (radiance) to `S3`, or `T`; None for channels that are not spectral.

    >>> stokes_component("S0", "550,000000nm"), stokes_component("", "360.00-407.00nm"), stokes_component("S0", "R")
    ('S0', 'S0', None)
    """
    if component[-1:] not in ("m", "z"):
        return None
    if match := _SPECTRAL.fullmatch(f"{layer}.{component}"):
        return match["stokes"]
    return "S0" if not layer and _BAND.fullmatch(component) else None


def view_of_part(name: str, stated: str | None, views: Iterable[str]) -> tuple[str | None, str]:
    """The view of a part and its name without it: as the part states it, else as its name does.

    `views`: those that the parts of the file state.

    >>> view_of_part("rgba.main", "main", ["main"]), view_of_part("left", "left", ["left", "right"])
    (('main', 'rgba'), ('left', ''))
    >>> view_of_part("left.depth", None, []), view_of_part("rgba_main", None, []), view_of_part("disparityL", None, ["left"])
    (('left', 'depth'), (None, 'rgba_main'), (None, 'disparityL'))
    """
    if stated:
        rest = _without(name, stated, "._- ")
        return stated, name if rest is None else rest
    for view, joints in (*((view, "._-") for view in views), *((view, ".") for view in USUAL_VIEWS)):
        if view and (rest := _without(name, view, joints)):
            return view, rest
    return None, name


def _without(name: str, view: str, joints: str) -> str | None:
    """The name without a view at its end or its beginning; None where neither is the view."""
    if name == view:
        return ""
    if name.endswith(view) and name[-len(view) - 1] in joints:
        return name[: -len(view) - 1]
    if name.startswith(view) and name[len(view)] in joints:
        return name[len(view) + 1 :]
    return None


def views_of_layers(layers: Sequence[str], multi_view: Sequence[str]) -> list[tuple[str | None, str]]:
    """For each layer of a part with `multiView`: its view and its name without it.

    A layer without a view belongs to the first view where another view has one of the same name, else to none.

    >>> views_of_layers(["", "right", "diffuse.right", "left.diffuse", "tmp"], ["left", "right"])
    [('left', ''), ('right', ''), ('right', 'diffuse'), ('left', 'diffuse'), (None, 'tmp')]
    >>> views_of_layers(["", "depth", "left.depth"], ["right", "left"])
    [('right', ''), ('right', 'depth'), ('left', 'depth')]
    """
    views = frozenset(multi_view)
    seen = [_view_of_layer(layer, views) for layer in layers]
    elsewhere = {rest for view, rest in seen if view is not None}
    default = multi_view[0]
    return [(default, rest) if view is None and (not rest or rest in elsewhere) else (view, rest) for view, rest in seen]


def _view_of_layer(layer: str, views: frozenset[str]) -> tuple[str | None, str]:
    rest, _, last = layer.rpartition(".")
    if last in views:
        return last, rest
    first, _, rest = layer.partition(".")
    return (first, rest) if first in views and rest else (None, layer)
