"""Whether two notebooks tell a reader the same, but for pictures and measured numbers.

The pattern of a measured number is the one that nbval's sanitizer uses: a build leaves a file alone exactly when the
tests could not see a difference, and the repository's history does not fill with re-drawn pictures.
"""

import re
from functools import cache
from typing import Any

from crashcourse.lessons.execute import SANITIZER

_PICTURES = ("image/png", "image/jpeg")


@cache
def _sanitizers() -> tuple[tuple[str, str], ...]:
    text = SANITIZER.read_text(encoding="utf-8")
    return tuple(re.findall(r"^regex: (.*)$\n^replace: (.*)$", text, flags=re.MULTILINE))


def blank_measured(text: str) -> str:
    """The text with each `≈ number` replaced by a mark."""
    for pattern, mark in _sanitizers():
        text = re.sub(pattern, mark, text)
    return text


def same_but_for_measured(old: Any, new: Any) -> bool:
    """Whether the notebooks differ in nothing but pictures and numbers after `≈`."""
    return _essence(old) == _essence(new)


def _essence(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: None if key in _PICTURES and isinstance(item, str) else _essence(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_essence(item) for item in value]
    return blank_measured(value) if isinstance(value, str) else value
