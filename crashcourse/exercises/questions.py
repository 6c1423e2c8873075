"""Exercises without code: a value, a tuple or a table to fill in, and a question with options."""

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.exercises.check import Wrong
from crashcourse.exercises.compare import Tolerance, compare_values
from crashcourse.exercises.kinds import Exercise, Kind
from crashcourse.exercises.report import ERROR, NOT_ATTEMPTED, PASSED, WRONG, Block, Paragraph, Report, Table
from crashcourse.exercises.source import answered_call, blank_call
from crashcourse.exercises.values import describe

_TOLERANCE = Tolerance(1e-3, 1e-6)
RIGHT, NOT_RIGHT, BLANK = "✓ right", "✗ not right", "○ blank"


@dataclass(eq=False, kw_only=True)
class Question(Exercise):
    """What both kinds have in common.

    Attributes:
        question: what is asked.
        because: why the answer is right, shown once it is given, and with the solution.
    """

    question: str
    because: str = ""

    def _report(self, verdict: str, seed: int, *blocks: Block, hint: str = "", matched: str = "") -> Report:
        shown = (Paragraph(self.question, "Question"), *blocks)
        return Report(self.name, self.title, verdict, hint, matched, shown, seed=seed)


@dataclass(eq=False, kw_only=True)
class AnswerExercise(Question):
    """Fill in a number, a tuple, or a table of them.

    Attributes:
        reference: the right value, or a function without arguments that computes it: a number, a text, a tuple, or
            a dict from the name of a row to one of those.
        wrong: name -> (value, hint). For a table, a dict of only the rows that are wrong in this way.
        tolerance: `(relative, absolute)` for numbers that are not whole.
    """

    kind: ClassVar[Kind] = "answer"
    tolerance: Tolerance = _TOLERANCE

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tolerance = Tolerance(*self.tolerance)

    @cached_property
    def value(self) -> Any:
        """The right value."""
        return self.reference() if callable(self.reference) else self.reference

    def wrong_value(self, name: str) -> Any:
        """A known wrong answer as a whole: for a table, the right one with some rows replaced."""
        wrong = self.wrong[name].answer
        return {**self.value, **wrong} if isinstance(self.value, dict) else wrong

    def check(self, candidate: Any, seed: int = 0) -> Report:
        try:
            return self._check(candidate, seed)
        except RecursionError:
            return self._report(ERROR, seed, Paragraph("The answer holds itself. Give numbers, or a tuple of them."))

    def _check(self, candidate: Any, seed: int) -> Report:
        if not isinstance(self.value, dict):
            return self._judge({"": self._state(self.value, candidate)}, {"": candidate}, seed)
        candidate = {} if _nothing(candidate) else candidate
        if not isinstance(candidate, dict):
            kind = type(candidate).__name__
            return self._report(ERROR, seed, Paragraph(f"A table (a dict) is expected; a {kind} came."))
        strangers = [str(row) for row in candidate if row not in self.value]
        if strangers:
            rows = ", ".join(map(str, self.value))
            message = f"The table has no row named {', '.join(strangers)}. Its rows: {rows}."
            return self._report(ERROR, seed, Paragraph(message))
        states = {row: self._state(right, candidate.get(row, ...)) for row, right in self.value.items()}
        return self._judge(states, candidate, seed)

    def _state(self, right: Any, given: Any) -> str:
        if _blank(given):
            return BLANK
        return RIGHT if self._agrees(right, given) else NOT_RIGHT

    def _agrees(self, right: Any, given: Any) -> bool:
        return not compare_values(_plain(right), _plain(given, like=right), self.tolerance)

    def _judge(self, states: Mapping[Any, str], given: Mapping[Any, Any], seed: int) -> Report:
        if all(state == BLANK for state in states.values()):
            return self._report(
                NOT_ATTEMPTED, seed, Paragraph("Replace `...` by your answer, then run the cell again.")
            )
        if all(state == RIGHT for state in states.values()):
            return self._report(PASSED, seed, Paragraph(self.because or "That is right."))
        blocks: list[Block] = []
        if isinstance(self.value, dict):
            rows = tuple((str(row), _shown(given.get(row, ...)), state) for row, state in states.items())
            blocks.append(Table(("row", "yours", "is"), rows))
        else:
            blocks += [self._only(next(iter(given.values()), ...))]
        found = self._matches(states, given)
        blocks += [Paragraph(self.wrong[name].hint, _hint_for(rows)) for name, rows in found.items()]
        hinted = {row for rows in found.values() for row in rows}
        if isinstance(self.value, dict):
            odd = {row: _form(self.value[row], given[row]) for row in states if states[row] == NOT_RIGHT}
            blocks += [Paragraph(form, str(row)) for row, form in odd.items() if form and row not in hinted]
        matched = max(found, key=lambda name: len(found[name]), default="")
        hint = self.wrong[matched].hint if matched else ""
        return self._report(WRONG, seed, *blocks, hint=hint, matched=matched)

    def _only(self, given: Any) -> Paragraph:
        """What is said about a wrong answer that is not a table: what it should look like, never the right value."""
        form = _form(self.value, given)
        return Paragraph(f"You answered {_shown(given)}. {form}".rstrip())

    def _matches(self, states: Mapping[Any, str], given: Mapping[Any, Any]) -> dict[str, tuple[Any, ...]]:
        """The known wrong answers of which every row was given, and their rows; none inside another one's rows."""
        found = {}
        for name, (wrong, _) in self.wrong.items():
            rows = wrong if isinstance(self.value, dict) else {"": wrong}
            if all(states.get(row) == NOT_RIGHT and self._agrees(value, given[row]) for row, value in rows.items()):
                found[name] = tuple(rows)
        sets = [set(rows) for rows in found.values()]
        return {name: rows for name, rows in found.items() if not any(set(rows) < other for other in sets)}

    def stub(self) -> str:
        return blank_call(self.name, self.value)

    def solved(self) -> str:
        return answered_call(self.name, self.value)

    def solution(self) -> str:
        return f"{self.solved()}\n# {self.because}" if self.because else self.solved()


@dataclass(eq=False, kw_only=True)
class ChoiceExercise(Question):
    """Choose one of several options.

    Attributes:
        options: letter -> text.
        reference: the right letter.
        wrong: for every other letter, the hint it deserves: letter -> hint.
    """

    kind: ClassVar[Kind] = "choice"
    options: Mapping[str, str]

    def __post_init__(self) -> None:
        entries = {letter: (letter, hint) if isinstance(hint, str) else hint for letter, hint in self.wrong.items()}
        self.wrong = {letter: Wrong(*entry) for letter, entry in entries.items()}
        super().__post_init__()
        if {self.reference, *self.wrong} != set(self.options):
            raise CourseError(f"{self.name}: every option but the right one needs a hint in `wrong`, and only they.")

    def check(self, candidate: Any, seed: int = 0) -> Report:
        if _nothing(candidate):
            how = Paragraph(f'Answer with the letter: choice("{self.name}", "{next(iter(self.options))}").')
            return self._report(NOT_ATTEMPTED, seed, self.listing(), how)
        letter = candidate.strip(" ().").lower() if isinstance(candidate, str) else ""
        if letter not in self.options:
            shown = repr(candidate) if isinstance(candidate, str | int) else f"of type {type(candidate).__name__}"
            message = f"There is no option {shown}. The options are {', '.join(self.options)}."
            return self._report(ERROR, seed, self.listing(), Paragraph(message))
        chosen = Paragraph(f"({letter}) {self.options[letter]}", "You chose")
        if letter == self.reference:
            return self._report(PASSED, seed, chosen, Paragraph(self.because or "That is right."))
        hint = self.wrong[letter].hint
        return self._report(WRONG, seed, chosen, Paragraph(hint, "Hint"), hint=hint, matched=letter)

    def listing(self) -> Table:
        """The options, one a row."""
        return Table(("", "option"), tuple((f"({letter})", text) for letter, text in self.options.items()))

    def stub(self) -> str:
        return f'choice("{self.name}")'

    def solved(self) -> str:
        return f'choice("{self.name}", "{self.reference}")'

    def solution(self) -> str:
        because = f"\n# {self.because}" if self.because else ""
        return f"{self.solved()}\n# {self.options[self.reference]}{because}"


def _nothing(value: Any) -> bool:
    return value is None or value is ...


def _blank(value: Any) -> bool:
    """Whether a cell of a table, or a part of it, was left as it was."""
    if isinstance(value, tuple | list):
        return any(_blank(item) for item in value)
    return _nothing(value)


def _hint_for(rows: tuple[Any, ...]) -> str:
    named = ", ".join(str(row) for row in rows if row != "")
    return f"Hint for {named}" if named else "Hint"


def _form(right: Any, given: Any) -> str:
    """What a wrong answer should look like, "" when it looks so: never the right value."""
    parts = given if isinstance(given, tuple | list) else (given,)
    if any(isinstance(part, str) for part in parts) and not isinstance(right, str):
        wanted = "numbers" if isinstance(right, tuple | list) else "a number"
        return f"Write {wanted}, without quotes, and without commas inside: 1234 or 1_234, not '1,234'."
    given = _plain(given, like=right)
    if isinstance(right, tuple | list):
        count = len(given) if isinstance(given, tuple) else 1
        return "" if count == len(right) else f"{len(right)} values are expected, not {count}."
    if isinstance(right, numbers.Number) and isinstance(given, tuple):
        return "A number is expected. A comma separates two: 1,234 is (1, 234). Write 1234 or 1_234."
    if isinstance(right, numbers.Number) and not isinstance(given, numbers.Number):
        return "A number is expected."
    return ""


def _plain(value: Any, like: Any = None) -> Any:
    """A value without tensors and numpy numbers; a float that is whole becomes an int where an int is expected."""
    if isinstance(value, Tensor) or (type(value).__module__ == "numpy" and hasattr(value, "tolist")):
        try:
            value = value.tolist()
        except (RuntimeError, NotImplementedError):  # on the meta device, sparse, quantized, nested: it has no list
            return value
    if isinstance(value, torch.Size | tuple | list):
        parts = like if isinstance(like, tuple | list) and len(like) == len(value) else [None] * len(value)
        return tuple(_plain(item, part) for item, part in zip(value, parts, strict=True))
    if isinstance(value, float) and value.is_integer() and isinstance(like, int):
        return int(value)
    return value


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return "..." if value is ... else describe(_plain(value))
