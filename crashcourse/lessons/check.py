"""What a built notebook must be before a learner sees it: the build refuses what breaks a rule, tests repeat them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crashcourse.lessons.expand import SLIDE_TYPES

LARGEST_BYTES = 1_500_000
_EXEMPTIONS = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)\s*$", re.MULTILINE)
_EXEMPTING_TAGS = re.compile(r"nbval-.*|raises-exception|pytest-validate-.*", re.IGNORECASE)
_POSIX_PATH = re.compile(
    r"(?<![\w:/.<])/(?:home|Users|root|tmp|var|opt|usr|private|mnt|work|srv|data)/[\w.~+-][^\s'\"<>)]*"
)
_WINDOWS_PATH = re.compile(r"(?<![\w])[A-Za-z]:\\{1,2}[\w.~-]+")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{7,16}\b")
_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")
_IMG = re.compile(r"<img\b[^>]*>", re.IGNORECASE | re.DOTALL)
_IMG_ALT = re.compile(r"\balt\s*=\s*(?:\"\s*[^\"\s][^\"]*\"|'\s*[^'\s][^']*')", re.IGNORECASE)
_MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(")


def problems(notebook: Any, *, size: int | None = None) -> list[str]:
    """Everything that is wrong with an executed notebook, a sentence each; empty when it may ship.

    Args:
        notebook: as `normalise` leaves it.
        size: the bytes of its file, when known.
    """
    found = [
        f"cell {index} ({cell.get('id', '?')}): {p}" for index, cell in enumerate(notebook.cells) for p in _of(cell)
    ]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"the code cells were not executed once each, in order: their counts are {counts}")
    ids = [cell.get("id") for cell in notebook.cells]
    if len(set(ids)) != len(ids):
        found.append("two cells have the same id")
    if size is not None and size > LARGEST_BYTES:
        found.append(
            f"the file has {size / 1e6:.2f} MB; at most {LARGEST_BYTES / 1e6:.1f} MB may ship: smaller figures, please"
        )
    return found


def over_budget(execution: Any, header: dict[str, Any], *, timed: bool = True) -> list[str]:
    """What a run used beyond the lesson's budget.

    Args:
        execution: the run.
        header: the lesson's.
        timed: whether its seconds count; not where other programs share the machine.
    """
    found = []
    if timed and execution.seconds > header["budget_seconds"]:
        busy = f" ({execution.cpu_seconds:.0f} s of processor time: if that is much less, the machine was busy)"
        found.append(f"the run took {execution.seconds:.0f} s of its {header['budget_seconds']:g} s{busy}")
    if execution.peak_mb > header["budget_mb"]:
        found.append(f"the kernel held {execution.peak_mb:.0f} MB of its {header['budget_mb']:g} MB")
    found += [f"the lesson tried to reach {host}; lessons run offline" for host in execution.refused]
    return found


def _of(cell: Any) -> Iterator[str]:
    if cell.metadata.get("slideshow", {}).get("slide_type") not in SLIDE_TYPES:
        yield "no slide type"
    if cell.cell_type == "markdown":
        yield from _of_images(cell.source)
        return
    yield from _of_source(cell)
    for output in cell.outputs:
        yield from _of_output(output)


def _of_source(cell: Any) -> Iterator[str]:
    if cell.execution_count is None:
        yield "not executed"
    try:
        ast.parse(cell.source)
    except SyntaxError:
        yield "not plain Python: no magics, no shell lines"
    if _EXEMPTIONS.search(cell.source) or any(_EXEMPTING_TAGS.fullmatch(t) for t in cell.metadata.get("tags", [])):
        yield "exempted from nbval's comparison; print measured numbers with ≈ instead"


def _of_output(output: Any) -> Iterator[str]:
    if output.output_type == "error":
        yield f"raised {output.ename}: {output.evalue}"
    if output.output_type == "stream" and output.name == "stderr":
        yield f"wrote to stderr: {output.text.strip()[:200]!r}"
    data = output.get("data", {})
    if any(kind.startswith("image/") for kind in data):
        yield from _of_figure(data)
    for text in [output.get("text", ""), *(value for kind, value in data.items() if kind.startswith("text/"))]:
        yield from _of_text(text)


def _of_figure(data: dict[str, Any]) -> Iterator[str]:
    for kind in data:
        if kind.startswith("image/") and kind not in ("image/png", "image/jpeg"):
            yield f"a figure as {kind}, which nbval compares to the letter; show it as PNG"
    alt = data.get("text/plain", "").strip()
    if len(alt) < 10 or alt.startswith("<"):
        yield f"a figure without alt text (its text/plain is {alt!r}); use crashcourse.figures.show(fig, alt=...)"


def _of_text(text: str) -> Iterator[str]:
    plain = _DATA_URI.sub("", text)
    for path in {match[0] for pattern in (_POSIX_PATH, _WINDOWS_PATH) for match in pattern.finditer(plain)}:
        yield f"an absolute path in the output: {path}"
    for folder in {str(Path.home())} - {"/", "."}:
        if folder in plain and not _POSIX_PATH.search(plain):
            yield f"an absolute path in the output: {folder}"
    if _ADDRESS.search(plain):
        yield f"a memory address in the output: {_ADDRESS.search(plain)[0]}"  # type: ignore[index]
    yield from _of_images(plain)


def _of_images(text: str) -> Iterator[str]:
    if _MARKDOWN_IMAGE.search(text) or any(not _IMG_ALT.search(tag) for tag in _IMG.findall(text)):
        yield "an image without alt text"
