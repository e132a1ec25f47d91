"""How much of a file is described: the bounds on what a header can make, each with its reason.

A header is small and says how long its lists are, so a few hundred bytes can ask for gigabytes. Lists are therefore bounded by
what they become, not by the bytes that they take, and by one budget for all parts of a header together: what one value may do,
ten thousand values may not. Real headers stay far below: of 465 files of other people the largest has 864 channels, 219
attributes and a payload of 280 kB. What is beyond a bound is counted, and a finding or a field beside the list says how much was
left out.

Together the bounds keep a payload below `MAX_PAYLOAD_CHARACTERS`, whatever the bytes; a test holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

# The rows have signed integers of 64 bits; windows of 32 bits a side, times their channels, exceed them.
LARGEST_INTEGER = 2**63 - 1

# A longer value is described by its size, its digest and its first bytes: the rows hold 126,000 bytes in a cell.
LARGE_VALUE = 64 * 1024
FIRST_BYTES = 256
# Values up to this size are always carried: a digest would be longer.
SMALL_VALUE = 32
# A number of a matrix is written with up to 24 characters.
MATRIX_WEIGHT = 8

# Renderers with an AOV for every light and object write hundreds of channels; 16,384 take 3 ms to read and 0.3 s to describe.
MAX_CHANNELS = 16_384
# A name stands in the payload up to five times, and as six characters for each control character.
MAX_CHANNEL_NAME_BYTES = 2**19
# A part of a multi-part file takes 300 bytes at least; Nuke writes one for each layer.
MAX_PARTS = 2_048
MAX_ATTRIBUTES = 32_768
MAX_ATTRIBUTE_NAME_BYTES = 2**20

# What the values of a header may come to: bytes of those over SMALL_VALUE, and numbers, strings and channels in lists.
MAX_VALUE_BYTES = 2 * 2**20
MAX_LIST_ENTRIES = 131_072

# ID manifests. A deep render of a production has some ten thousand names; a step is the reading of one number or string.
MAX_MANIFEST_BYTES = 8 * 2**20
MAX_MANIFEST_STRINGS = 65_536
MAX_MANIFEST_STEPS = 393_216
LISTED_MANIFEST_ENTRIES = 256
LISTED_MANIFEST_GROUPS = 256
# Characters that the listed groups and entries of all manifests of a header take.
LISTED_MANIFEST_TEXT = 64 * 1024

# Cryptomatte. A layer is three to five attributes, and shows have a dozen of them. Hashes are computed in Python, 4 MB a second.
MAX_CRYPTOMATTES = 256
PARSED_MANIFEST = 256 * 1024
MAX_PARSED_BYTES = 4 * 2**20
CHECKED_ENTRIES = 64
MAX_HASHED_BYTES = 512 * 1024

# Resolution levels of all tiled parts: every mip-mapped part that a file can have (2,048 times 32), or 64 rip-mapped parts of the
# largest window. A level costs 2 microseconds and 150 bytes.
MAX_LEVELS = 65_536

# What a payload lists: findings of one severity, and runs of missing chunks.
MAX_FINDINGS = 256
MAX_RANGES = 256
# A text of the file within a finding's message.
SHOWN_CHARACTERS = 256

# What the bounds above make at most of text that JSON writes with six characters for one.
MAX_PAYLOAD_CHARACTERS = 48 * 2**20


@dataclass(slots=True)
class Budget:
    """What is left for the values of one header, all parts together."""

    value_bytes: int = MAX_VALUE_BYTES
    list_entries: int = MAX_LIST_ENTRIES
    manifest_bytes: int = 2 * MAX_MANIFEST_BYTES
    """Of the unpacked manifests, and of the strings that they expand to."""
    manifest_steps: int = MAX_MANIFEST_STEPS
    manifest_text: int = LISTED_MANIFEST_TEXT


@dataclass(slots=True)
class CryptomatteBudget:
    """What is left for the cryptomatte layers of one file, all parts together."""

    layers: int = MAX_CRYPTOMATTES
    parsed_bytes: int = MAX_PARSED_BYTES
    hashed_bytes: int = MAX_HASHED_BYTES
