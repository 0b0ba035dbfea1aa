"""One kind of error for bad input: its message is one line a user can act on."""

import re
import unicodedata
from bisect import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

NEAR = 50  # names before and after a word, in order, that are compared with it letter by letter


class FacnetError(ValueError):
    """Input that cannot be used; the message names the file, the video and the value.

    Where several things are wrong at once, `faults` has a line on each. The message ends with the
    first five; the command line shows all.
    """

    def __init__(self, message: str, faults: Sequence[str] = ()):
        self.heading = one_line(message)
        self.faults = [one_line(fault) for fault in faults]
        more = [f"And {len(faults) - 5} more."] if len(faults) > 5 else []
        super().__init__(" ".join([self.heading, *self.faults[:5], *more]))


def one_line(message: str) -> str:
    """The message with what cannot be printed escaped, whatever a damaged file puts into a name."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def named(name: str, table: Mapping[str, Any], kind: str) -> Any:
    """The entry of `table` called `name`; a FacnetError if there is no such `kind` of thing."""
    check_choice(name, table, f"No {kind} {name!r}")
    return table[name]


def check_choice(given: Any, choices: Collection[str], refusal: str) -> None:
    """A FacnetError that begins with `refusal` if what is given is none of the choices."""
    if given not in choices:
        raise FacnetError(f"{refusal}.{suggest(str(given), choices)}")


def normal(name: str) -> str:
    """A name as it is compared: of the ways in which Unicode writes it the composed one (NFC)."""
    return unicodedata.normalize("NFC", name)


def suggest(word: str, choices: Iterable[str]) -> str:
    """End of an error message: the closest choice to `word`, or all of them if they are few.

    Case, ``v_`` before a name and a file's extension after it do not count. Of many choices only
    those next to `word` in the order of names are looked at.
    """
    choices = _in_order(frozenset(choices))
    at, form = bisect(choices, (_form(word),)), _form(word)
    near = dict(choices[max(at - NEAR, 0):at + NEAR])
    if close := get_close_matches(form, near, n=1):
        return f" Did you mean {near[close[0]]!r}?"
    if len(choices) > 30:
        return f" There are {len(choices)}, such as {choices[0][1]!r}."
    return f" Choose from: {', '.join(sorted(name for _, name in choices)) or 'none'}."


@lru_cache(8)
def _in_order(names: frozenset[str]) -> list[tuple[str, str]]:
    return sorted((_form(name), name) for name in names)


def _form(name: str) -> str:
    return re.sub(r"^v_(?=.)|(?<=.)\.(npy|npz|mp4|avi|mkv|webm)$", "", normal(name).casefold())
