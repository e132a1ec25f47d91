"""A payload as the rules see it, and what they answer.

A probe is one thing that was looked at, and whether it fits the rule. A check that yields none does not apply to the file: a rule
about statistics says nothing where no pixels were read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from exr_inspector.payload.aovs import describe_channels

Entry = Mapping[str, Any]
NO_REFERENCES: Mapping[str, Entry] = {}


class Probe(NamedTuple):
    """One thing that was looked at; `code` names what is wrong with it when it does not fit."""

    code: str
    fits: bool
    value: Any
    part: int | None = None
    channel: str | None = None


class Subject:
    """A payload as a rule sees it: narrowed to its channel roles, beside the payloads that it may compare with."""

    def __init__(self, payload: Entry, roles: tuple[str, ...] = (), references: Mapping[str, Entry] = NO_REFERENCES) -> None:
        self.payload = payload
        self.roles = roles
        self.references = references

    @cached_property
    def file(self) -> Entry:
        """The `file` section."""
        return self.payload.get("file") or {}

    @cached_property
    def path(self) -> str:
        """The normalised path; empty where the payload has none."""
        return str(self.file.get("path_normalized") or self.file.get("path") or "")

    @cached_property
    def all_parts(self) -> list[Entry]:
        """Every part."""
        return list(self.payload.get("parts") or [])

    @cached_property
    def all_channels(self) -> list[Entry]:
        """Every channel, with its role."""
        return describe_channels(self.payload)

    @cached_property
    def channels(self) -> list[Entry]:
        """The channels of the roles asked for, whatever their view."""
        return [channel for channel in self.all_channels if not self.roles or channel["role"] in self.roles]

    @cached_property
    def parts(self) -> list[Entry]:
        """The parts that hold such a channel."""
        indices = {channel.get("part_index", 0) for channel in self.channels}
        return [part for part in self.all_parts if not self.roles or part.get("index", 0) in indices]

    def attributes(self, part: Entry) -> list[Entry]:
        """The attributes of one part, in file order."""
        lists = (self.payload.get("attributes") or {}).get("parts") or []
        index = part.get("index", 0)
        return list(lists[index]) if index < len(lists) else []

    def attribute(self, part: Entry, name: str) -> Any:
        """The first value under this name; None where the part has no such attribute."""
        return next((entry.get("value") for entry in self.attributes(part) if entry.get("name") == name), None)

    @cached_property
    def statistics(self) -> list[tuple[Entry, Entry]]:
        """(channel, statistics) of the channels asked for whose pixels were read."""
        rows = (self.payload.get("stats") or {}).get("channels") or []
        channels = {(channel.get("part_index", 0), channel.get("name")): channel for channel in self.channels}
        pairs = ((channels.get((row.get("part_index", 0), row.get("channel_name"))), row) for row in rows)
        return [(channel, row) for channel, row in pairs if channel is not None]
