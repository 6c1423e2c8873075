"""From an answer to a report: run it on every case, find the lowest rung on which it fails, and say why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from crashcourse.exercises.advice import advice
from crashcourse.exercises.case import Case
from crashcourse.exercises.compare import RUNGS, Fault, Tolerance, compare, same_outcome
from crashcourse.exercises.failure import Failure
from crashcourse.exercises.isolation import Budget, seed_generators, untouched_generators
from crashcourse.exercises.outcome import Outcome
from crashcourse.exercises.report import ERROR, NOT_ATTEMPTED, PASSED, WRONG, Block, Code, Paragraph, Report
from crashcourse.exercises.values import comparison, describe

_SHORT_CASE = 40  # numbers of input that are worth showing beside a hint


class Wrong(NamedTuple):
    """A known wrong answer: a function, class or value, and the hint that it deserves."""

    answer: Any
    hint: str


class Checked(Protocol):
    """What a check needs to know of an exercise on a function or a module."""

    name: str
    title: str
    reference: Callable[..., Any]
    wrong: Mapping[str, Wrong]
    tolerance: Tolerance
    seconds: float

    def made_cases(self, seed: int) -> list[Case]:
        """The calls to check, for a seed."""
        ...

    def input_names(self, case: Case) -> list[str]:
        """What the reference calls the positional arguments of a case."""
        ...

    def run(self, candidate: Callable[..., Any], case: Case, budget: Budget) -> Outcome:
        """What a candidate does in one of them."""
        ...


def check(exercise: Checked, candidate: Any, seed: int) -> Report:
    """Check an answer. The state of every random number generator is as it was afterwards, and has no influence."""
    with untouched_generators():
        if candidate is None or candidate is ...:
            return _report(exercise, NOT_ATTEMPTED, seed, Paragraph("There is no answer yet."))
        if not callable(candidate):
            kind = type(candidate).__name__
            return _report(
                exercise, ERROR, seed, Paragraph(f"A function or class is expected; an object of type {kind} came.")
            )
        outcomes = _run_all(exercise, candidate, seed)
        if all(outcome.unattempted for outcome in outcomes):
            return _report(exercise, NOT_ATTEMPTED, seed, *_unattempted(outcomes[0]))
        return _judge(exercise, outcomes, seed)


def _run_all(exercise: Checked, candidate: Callable[..., Any], seed: int) -> list[Outcome]:
    """The outcomes of all cases, or of those up to the one in which time ran out."""
    budget = Budget(exercise.seconds)
    outcomes = []
    for case in cases_of(exercise, seed):
        outcomes.append(exercise.run(candidate, case, budget))
        if _out_of_time(outcomes[-1]):
            break
    return outcomes


def _out_of_time(outcome: Outcome) -> bool:
    failures = (outcome.failure, outcome.gradients and outcome.gradients.failure)
    return any(failure and failure.timed_out for failure in failures)


@lru_cache(maxsize=2)
def cases_of(exercise: Checked, seed: int) -> tuple[Case, ...]:
    """The cases for a seed; the global generators are set to the seed while they are made."""
    with untouched_generators():
        seed_generators(seed)
        return tuple(exercise.made_cases(seed))


@lru_cache(maxsize=2)
def expected_of(exercise: Checked, seed: int) -> tuple[Outcome, ...]:
    """What the reference does in every case."""
    return tuple(_run_all(exercise, exercise.reference, seed))


@lru_cache(maxsize=2)
def _known_outcomes(exercise: Checked, seed: int) -> dict[tuple[Callable[..., Any], int], Outcome]:
    """What known wrong answers do, by answer and number of the case: filled by `match`, so that no call is repeated."""
    return {}


def match(exercise: Checked, outcomes: Sequence[Outcome], seed: int) -> str:
    """The name of the known wrong answer that behaves exactly like these outcomes in every case, "" when none does."""
    entries = exercise.wrong.items()
    return next((name for name, entry in entries if _behaves_like(exercise, outcomes, entry.answer, seed)), "")


def _behaves_like(exercise: Checked, outcomes: Sequence[Outcome], other: Callable[..., Any], seed: int) -> bool:
    """Whether another answer cannot be told apart from these outcomes. If both always raise, they say the same."""
    cases = cases_of(exercise, seed)
    if len(outcomes) != len(cases):
        return False
    always = all(outcome.failure for outcome in outcomes)
    budget, known = Budget(exercise.seconds), _known_outcomes(exercise, seed)
    for index, (case, outcome) in enumerate(zip(cases, outcomes, strict=True)):
        if (other, index) not in known:
            known[other, index] = exercise.run(other, case, budget)
        theirs = known[other, index]
        if not same_outcome(theirs, outcome, exercise.tolerance):
            return False
        if (
            always
            and theirs.failure
            and outcome.failure
            and not theirs.failure.resembles(outcome.failure, message=True)
        ):
            return False
    return True


def _judge(exercise: Checked, outcomes: Sequence[Outcome], seed: int) -> Report:
    expected = expected_of(exercise, seed)
    faults = [compare(e, o, exercise.tolerance) for e, o in zip(expected, outcomes, strict=False)]
    cases = cases_of(exercise, seed)
    failing = [(RUNGS.index(fault.rung), cases[i].size, i) for i, fault in enumerate(faults) if fault]
    if not failing:
        passed = Paragraph(f"Right in all {len(cases)} cases." if len(cases) > 1 else "Right in its one case.")
        return _report(exercise, PASSED, seed, passed, *_printed(outcomes[0]), cases=len(cases))
    index = min(failing)[2]
    fault, outcome = faults[index], outcomes[index]
    assert fault is not None
    matched = match(exercise, outcomes, seed)
    hint = exercise.wrong[matched].hint if matched else ""
    verdict = ERROR if fault.rung in ("error", "limit") else WRONG
    blocks: list[Block] = [*_explain(fault, outcome, exercise.seconds)]
    if hint:
        blocks.append(Paragraph(hint, "Hint"))
    blocks += _case(exercise, cases[index], fault, outcome, brief=bool(hint))
    if len(outcomes) == len(cases) > 1:
        blocks.append(Paragraph(f"It fails in {len(failing)} of {len(cases)} cases."))
    blocks += _printed(outcome)
    return _report(exercise, verdict, seed, *blocks, hint=hint, matched=matched, cases=len(cases))


def _explain(fault: Fault, outcome: Outcome, seconds: float) -> list[Block]:
    """What is wrong, in words; for an error, with the learner's own line."""
    failure = outcome.failure
    if fault.rung in ("gradient", "limit") and not failure and outcome.gradients:
        failure = outcome.gradients.failure
    remark = [Paragraph(outcome.remark)] if outcome.remark else []
    if failure is None:
        return [Paragraph(fault.sentence), *remark]
    if failure.timed_out:
        sentence = f"It was still running after {seconds:g} seconds and was stopped. Is there a loop that never ends?"
        return [Paragraph(sentence), *_line(failure, message=False)]
    blocks: list[Block] = [Paragraph(fault.sentence)] if fault.rung == "gradient" else []
    more = advice(failure)
    return [*blocks, *_line(failure, message=fault.rung == "error"), *([Paragraph(more)] if more else []), *remark]


def _line(failure: Failure, *, message: bool) -> list[Block]:
    lines = [f"line {failure.number}:  {failure.line}".rstrip()] if failure.number else []
    if message:
        lines.append(f"{failure.kind}: {failure.message}" if failure.message else failure.kind)
    return [Code("\n".join(lines), "In your code")] if lines else []


def _case(exercise: Checked, case: Case, fault: Fault, outcome: Outcome, *, brief: bool) -> list[Block]:
    """The smallest failing case: input, expected, got. Only its name when it is long and a hint says what is wrong."""
    several = "Smallest failing case"
    if brief and case.size > _SHORT_CASE:
        return [Paragraph(case.label, several)] if case.label else []
    shown = replace(case, args=(), kwargs={}) if fault.rung == "layers" else case
    blocks: list[Block] = [Code(_inputs(exercise, shown), f"{several}{f' ({case.label})' if case.label else ''}")]
    if fault.expected is None:
        return blocks
    blocks.append(Code(describe(fault.expected), "Expected"))
    if outcome.failure is None:
        blocks.append(Code(describe(fault.got), "Got"))
    picture = comparison(fault.expected, fault.got) if case.picture == "image" and fault.rung == "value" else None
    return [*blocks, picture] if picture else blocks


def _inputs(exercise: Checked, case: Case) -> str:
    """A case's inputs, one after the other, by the names that the reference gives them."""
    named = [*case.build.items(), *zip(exercise.input_names(case), case.args, strict=True), *case.kwargs.items()]
    return "\n".join(f"{name} = {describe(value)}" for name, value in named)


def _unattempted(outcome: Outcome) -> list[Block]:
    if outcome.failure:
        return [Paragraph("Replace `raise NotImplementedError` by your own code, then run the cell again.")]
    if outcome.changed:
        return [Paragraph("It returns None and changes its input instead. Make a new tensor and return it.")]
    return [Paragraph("It returns nothing. Is a `return` missing?")]


def _printed(outcome: Outcome) -> list[Block]:
    return [Code(outcome.printed.rstrip("\n"), "Your code printed")] if outcome.printed.strip() else []


def _report(
    exercise: Checked, verdict: str, seed: int, *blocks: Block, hint: str = "", matched: str = "", cases: int = 0
) -> Report:
    return Report(exercise.name, exercise.title, verdict, hint, matched, tuple(blocks), cases, seed)
