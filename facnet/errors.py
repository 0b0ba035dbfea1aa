"""One kind of error for bad input: its message is one line a user can act on."""

from collections.abc import Iterable
from difflib import get_close_matches


class FacnetError(ValueError):
    """Input that cannot be used; the message names the file, the video and the value."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


def one_line(message: str) -> str:
    """The message with what cannot be printed escaped, whatever a damaged file puts into a name."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def suggest(word: str, choices: Iterable[str]) -> str:
    """End of an error message: the closest choice to `word`, or all of them."""
    choices = sorted(choices)
    close = get_close_matches(word.lower(), [c.lower() for c in choices], n=1)
    if close:
        return f" Did you mean {next(c for c in choices if c.lower() == close[0])!r}?"
    return f" Choose from: {', '.join(choices)}."
