"""One kind of error for bad input: its message is one line a user can act on."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any


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


def suggest(word: str, choices: Iterable[str]) -> str:
    """End of an error message: the closest choice to `word`, or all of them if they are few."""
    choices = sorted(choices)
    close = get_close_matches(word.lower(), [c.lower() for c in choices], n=1)
    if close:
        return f" Did you mean {next(c for c in choices if c.lower() == close[0])!r}?"
    if len(choices) > 30:
        return f" There are {len(choices)}, such as {choices[0]!r}."
    return f" Choose from: {', '.join(choices)}."
