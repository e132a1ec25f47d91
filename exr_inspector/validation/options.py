"""What the value of a rule's option may be: a test, and the words that say it to people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Accepts = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Option:
    """What an option's value must be: `accepts` decides, `described` says it to people."""

    described: str
    accepts: Accepts


def is_text(value: Any) -> bool:
    """A text that is not empty."""
    return isinstance(value, str) and bool(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _is_text_or_number(value: Any) -> bool:
    return is_text(value) or _is_number(value)


def _is_scalar(value: Any) -> bool:
    return _is_text_or_number(value) or _is_flag(value)


def _is_pattern(value: Any) -> bool:
    if not is_text(value):
        return False
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _list_of(accepts: Accepts) -> Accepts:
    def accepts_list(value: Any) -> bool:
        return isinstance(value, list) and bool(value) and all(map(accepts, value))

    return accepts_list


def _as_many(count: int, accepts: Accepts) -> Accepts:
    def accepts_list(value: Any) -> bool:
        return isinstance(value, list) and len(value) == count and all(map(accepts, value))

    return accepts_list


def _word_of(*words: str) -> Accepts:
    def accepts_word(value: Any) -> bool:
        return isinstance(value, str) and value in words

    return accepts_word


def one_word_of(*words: str) -> Option:
    """One of these words."""
    return Option(f"one of {', '.join(words)}", _word_of(*words))


def words_of(*words: str) -> Option:
    """A list of some of these words."""
    return Option(f"a list of {', '.join(words)}", _list_of(_word_of(*words)))


NUMBER = Option("a number", _is_number)
INTEGER = Option("an integer", _is_integer)
COUNT = Option("an integer of at least 0", _is_count)
FLAG = Option("true or false", _is_flag)
TEXT = Option("a text", is_text)
TEXTS = Option("a list of texts", _list_of(is_text))
PATTERN = Option("a regular expression", _is_pattern)
PATTERNS = Option("a list of regular expressions", _list_of(_is_pattern))
PAIR = Option("two integers", _as_many(2, _is_integer))
PAIRS = Option("a list of pairs of integers", _list_of(_as_many(2, _is_integer)))
SETS = Option("a list of lists of texts", _list_of(_list_of(is_text)))
EIGHT_NUMBERS = Option("eight numbers", _as_many(8, _is_number))
SCALAR = Option("a text, a number or a flag", _is_scalar)
SCALARS = Option("a list of texts or numbers", _list_of(_is_text_or_number))
