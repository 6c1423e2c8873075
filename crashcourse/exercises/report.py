"""What a learner is told after a check: a verdict and a few blocks, shown as HTML or as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

NOT_ATTEMPTED = "not attempted"
ERROR = "error"
WRONG = "wrong"
PASSED = "passed"
VERDICTS = (NOT_ATTEMPTED, ERROR, WRONG, PASSED)


@dataclass(frozen=True)
class Paragraph:
    """Running text; `label` is a word or two in bold before it."""

    text: str
    label: str = ""


@dataclass(frozen=True)
class Code:
    """Text whose lines and spaces matter: code, numbers."""

    text: str
    label: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG; plain text shows `alt`."""

    png: bytes
    alt: str


Block = Paragraph | Code | Table | Picture


@dataclass(frozen=True)
class Report:
    """The result of checking one answer.

    Attributes:
        name: the exercise's name.
        title: its title.
        verdict: "not attempted", "error", "wrong" or "passed".
        hint: what the matched known wrong answer deserves to be told, "" when none matched.
        matched: the name of that wrong answer, "" when none matched.
        blocks: everything that is shown below the verdict.
        cases: how many cases were tried; 0 where that says nothing.
        seed: the seed that made them.
    """

    name: str
    title: str
    verdict: str
    hint: str = ""
    matched: str = ""
    blocks: tuple[Block, ...] = ()
    cases: int = 0
    seed: int = 0

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.verdict == PASSED

    @property
    def text(self) -> str:
        """The report as plain text."""
        from crashcourse.exercises.panel import as_text

        return as_text(self)

    @property
    def html(self) -> str:
        """The report as a self-contained piece of HTML with the same content."""
        from crashcourse.exercises.panel import as_html

        return as_html(self)

    def adding(self, blocks: Sequence[Block | str]) -> "Report":
        """The same report with more blocks at its end; a text becomes a paragraph, an empty one nothing."""
        more = [Paragraph(block) if isinstance(block, str) else block for block in blocks if block]
        return replace(self, blocks=(*self.blocks, *more))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}
