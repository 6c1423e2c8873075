"""Errors that a reader can act on: what came, what was expected, what to do."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


class CourseError(ValueError):
    """A problem that one sentence explains. The command line prints the sentence and exits with code 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> CourseError:
    """The error for a name that is not in a list, with the nearest name or the whole list.

    Args:
        kind: what the name stands for, in the singular: "recipe", "lesson".
        name: what the caller gave.
        known: the names that exist.
    """
    names = sorted(known)
    near = get_close_matches(str(name).lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if near:
        nearest = next(n for n in names if n.lower() == near[0])
        return CourseError(f"There is no {kind} named {name!r}. Did you mean {nearest!r}?")
    return CourseError(f"There is no {kind} named {name!r}. Known: {', '.join(names) or 'none'}.")


def check_name(kind: str, name: object, known: Collection[str]) -> str:
    """The name itself, if it is one that is known.

    Raises:
        CourseError: it is not, or it is no text at all; the sentence suggests the nearest.
    """
    if not isinstance(name, str) or name not in known:
        raise unknown(kind, name, known)
    return name
