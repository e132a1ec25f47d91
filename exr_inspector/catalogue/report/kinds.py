"""The kinds of problems that the page lists: how grave each is, which question finds it, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

GRAVITIES = ("unusable", "look at it", "good to know")
"""What a kind's gravity means: the picture cannot be used as it is; somebody has to look; nothing is wrong with the picture."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """`gravity` is a place in GRAVITIES; `todo` says what to do where the answer itself does not."""

    name: str
    label: str
    gravity: int
    question: str
    todo: str


KINDS = {
    kind.name: kind
    for kind in (
        ProblemKind(
            "unreadable", "Unreadable", 0, "broken_frames", "Render it again, or copy it again from where it was written"
        ),
        ProblemKind("damaged", "Damaged", 0, "broken_frames", "Render it again; the pixels cannot be recovered"),
        ProblemKind("incomplete", "Incomplete", 0, "broken_frames", "Wait if it is still being written, else render it again"),
        ProblemKind("missing", "Missing", 0, "missing_frames", "Render these frames"),
        ProblemKind("nan", "NaN or Infinity", 0, "bad_pixels", "Render it again, or clean the pixels before any filter"),
        ProblemKind(
            "black", "Black or of one colour", 0, "black_or_constant_frames", "Look at it; if it is not meant, render it again"
        ),
        ProblemKind(
            "frozen", "Frozen", 0, "frozen_frames", "Compare the pictures; if they ought to move, render again from a fresh cache"
        ),
        ProblemKind("delivery", "Fails delivery", 0, "failed_rules", "Mend what the rule names, and validate again"),
        ProblemKind("cryptomatte", "Cryptomatte", 0, "failed_rules", "Render it again with the cryptomatte's metadata"),
        ProblemKind(
            "drift", "Changes within a sequence", 1, "drift_within_sequence", "Render one side again with the setup of the other"
        ),
        ProblemKind(
            "odd", "Odd in its sequence", 1, "frames_unlike_sequence", "Render this frame again with the sequence's setup"
        ),
        ProblemKind(
            "negative", "Negative colour", 1, "bad_pixels", "Look at it; filters with negative lobes and denoisers leave some"
        ),
        ProblemKind(
            "flicker",
            "Brightness jumps",
            1,
            "flicker",
            "Play the frames around it; look for a light or a texture that is missing",
        ),
        ProblemKind(
            "misnumbered",
            "Frame number differs from header",
            1,
            "misnumbered_frames",
            "Check that the frames were renamed on purpose",
        ),
        ProblemKind(
            "duplicate", "Duplicate frames", 1, "duplicate_frames", "Keep one of the files; programs read either of them"
        ),
        ProblemKind("stray", "Stray frame", 1, "missing_frames", "Delete it if it was a test, else render what lies between"),
        ProblemKind("mixed", "Mixed builds", 1, "mixed_builds", "Render the frames of the other build again"),
        ProblemKind(
            "oversized",
            "Far larger than its neighbours",
            1,
            "oversized_files",
            "Compare its channels with those of its neighbours",
        ),
        ProblemKind("setup", "Set up like no other", 2, "sequences_unlike_family", "Check the scene against the show's template"),
        ProblemKind(
            "repeated", "The same picture again", 2, "same_picture", "Check that the render took up the change; drop one if not"
        ),
        ProblemKind("slow", "Slow host", 2, "slow_hosts", "Take the machine off the farm and look at it"),
    )
}

SINGLE = ("unreadable", "damaged", "incomplete", "nan", "negative", "odd", "flicker", "oversized", "black")
"""Kinds whose command looks at the first file itself; of the others it asks the question again."""
OF_PIXELS = ("damaged", "nan", "black", "negative", "flicker")
"""Those of SINGLE that show only where the pixels are read."""
