"""An exercise on a function or a module, as data: a reference, inputs from a seed, hints, known wrong answers."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from crashcourse.errors import CourseError
from crashcourse.exercises.case import Case
from crashcourse.exercises.check import Wrong, check
from crashcourse.exercises.compare import DEFAULT_TOLERANCE, Tolerance
from crashcourse.exercises.isolation import CHECK_SECONDS, Budget
from crashcourse.exercises.outcome import Outcome, plain, positional_names, run_function
from crashcourse.exercises.report import Report
from crashcourse.exercises.source import solution_of, source_of, stub_of

Kind = Literal["function", "module", "answer", "choice"]


@dataclass(eq=False, kw_only=True)
class Exercise:
    """What all exercises have in common.

    Attributes:
        name: how cells refer to it, "part.what" in lower case: "classification.conv2d".
        title: a few words for panels and tables.
        lesson: the lesson's number: 11.
        hints: shown one at a time: where to look, the formula, the shape of the code.
        kind: "function", "module", "answer" or "choice".

    Raises:
        CourseError: the name is not of that form.
    """

    name: str
    title: str
    lesson: int
    hints: Sequence[str] = ()
    kind: ClassVar[Kind]
    reference: Any = None
    wrong: Mapping[str, Wrong] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", self.name):
            raise CourseError(f"An exercise's name reads like 'vgg.shapes', in lower case; {self.name!r} came.")
        self.wrong = {name: Wrong(*entry) for name, entry in self.wrong.items()}

    def check(self, candidate: Any, seed: int = 0) -> Report:
        """Check an answer.

        Args:
            candidate: the function, class, value or letter. None and `...` count as not attempted.
            seed: what the inputs are made from. The report for one seed is always the same.
        """
        raise NotImplementedError

    def grade(self, candidate: Any) -> Report:
        """Check an answer on inputs that nobody has seen; the report's `seed` repeats it."""
        return self.check(candidate, secrets.randbelow(2**31))

    def stub(self) -> str:
        """The source of the exercise's cell as the learner first sees it."""
        raise NotImplementedError

    def solved(self) -> str:
        """The source of the exercise's cell, answered by the reference."""
        raise NotImplementedError

    def solution(self) -> str:
        """What a learner who asks for the solution is shown."""
        return self.solved()


@dataclass(eq=False, kw_only=True)
class FunctionExercise(Exercise):
    """Write a function.

    Attributes:
        reference: the right answer: the package's own function.
        cases: from a seed to the calls to check. The global generators are set to the seed, so plain `torch.rand`
            gives inputs that depend on it and on nothing else.
        wrong: name -> (function, hint): mistakes that people make; each must fail for every seed.
        gradient: whether the gradients of float inputs count. Only where the answer is meant to be differentiable.
        tolerance: `(relative, absolute)`, for floats; gradients get ten times as much.
        seconds: how long a check may take.
        plain: whether a tensor of at most one axis counts as the number or the list that it holds.
    """

    kind: ClassVar[Kind] = "function"
    cases: Callable[[int], Sequence[Case]]
    gradient: bool = False
    plain: bool = False
    tolerance: Tolerance = DEFAULT_TOLERANCE
    seconds: float = CHECK_SECONDS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tolerance = Tolerance(*self.tolerance)

    def check(self, candidate: Any, seed: int = 0) -> Report:
        return check(self, candidate, seed)

    def stub(self) -> str:
        return stub_of(self.name, self.reference)

    def solved(self) -> str:
        return solution_of(self.name, self.reference)

    def solution(self) -> str:
        return source_of(self.reference)

    def made_cases(self, seed: int) -> list[Case]:
        """The calls to check, for a seed."""
        return list(self.cases(seed))

    def input_names(self, case: Case) -> list[str]:
        """What the reference calls the positional arguments of a case."""
        return positional_names(self.reference, case)

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        """What a candidate does in one case."""
        outcome = run_function(candidate, case, self.input_names(case), gradient=self.gradient, budget=budget)
        return replace(outcome, value=plain(outcome.value)) if self.plain else outcome


@dataclass(eq=False, kw_only=True)
class ModuleExercise(FunctionExercise):
    """Write an `nn.Module`, or a function that returns one.

    The parameters' shapes are compared first; then the reference's weights are copied in, and results and gradients
    (of inputs and of parameters) are compared. `Case.build` holds the constructor's arguments, `Case.args` those of
    `forward`.

    Attributes:
        modes: run in "eval" mode, in "train" mode, or both.
    """

    kind: ClassVar[Kind] = "module"
    gradient: bool = True
    modes: Sequence[Literal["eval", "train"]] = ("eval",)

    def input_names(self, case: Case) -> list[str]:
        return positional_names(self.reference(**case.build).forward, case)

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        from crashcourse.exercises.modules import run_module

        return run_module(candidate, self.reference, case, modes=self.modes, gradient=self.gradient, budget=budget)
