"""The command line: one function per verb, each loading what it needs when it runs.

Exit codes: 0 all is well, 1 the work was done and something is amiss, 2 bad input, 130 stopped with Ctrl-C.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from crashcourse import __version__
from crashcourse.errors import CourseError, unknown

WORKSPACE = Path("my-crashcourse")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: the words after `crashcourse`; those of this process by default.

    Returns:
        The exit code.
    """
    try:
        _spell_what_the_terminal_lacks()
        options = _parser().parse_args(arguments)
        code = options.verb(options)
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
        return code
    except CourseError as error:
        print(f"crashcourse: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Whatever was finished before is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` perhaps, has what it wanted
        _drop_output()
        return 0
    except OSError as error:  # a disk that is full, a name that is too long, a file that may not be read
        place = f"{error.filename}: " if error.filename else ""
        print(f"crashcourse: Could not go on: {place}{error.strerror or error}.", file=sys.stderr)
        _drop_output()
        return 2


def _spell_what_the_terminal_lacks() -> None:
    """Signs such as ✓ and ≈ become question marks where the terminal's encoding has none, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """Let go of what stands in the buffer and cannot be written, lest Python tries again at its end and complains."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lab(options: argparse.Namespace) -> int:
    from crashcourse.lessons.lab import lab
    from crashcourse.lessons.project import Project

    return lab(options.workspace, Project(), lesson=options.lesson, port=options.port, browser=not options.no_browser)


def _run(options: argparse.Namespace) -> int:
    from crashcourse.lessons.project import Project
    from crashcourse.lessons.run import run
    from crashcourse.lessons.source import find_lesson

    return 0 if run(find_lesson(Project(), options.lesson)) else 1


def _build(options: argparse.Namespace) -> int:
    from crashcourse import places
    from crashcourse.lessons.build import build
    from crashcourse.lessons.project import Project
    from crashcourse.lessons.source import all_lessons, find_lesson

    project = Project()
    lessons = [find_lesson(project, name) for name in options.lessons]
    if options.check:
        return _build_check(project, lessons or None)
    if not places.in_clone():
        raise CourseError("Lessons are built in a clone of the project; this is an installed copy.")
    results = build(lessons or all_lessons(project), project, jobs=options.jobs, force=options.force)
    failed = [result.name for result in results if result.outcome == "failed"]
    if failed:
        print(f"Not built: {', '.join(failed)}. Their old notebooks are as they were.")
    return 1 if failed else 0


def _build_check(project: object, lessons: object) -> int:
    from crashcourse.lessons.build import mismatches

    found = mismatches(project, lessons)  # type: ignore[arg-type]
    for name, reason in found.items():
        print(f"{name}: {reason}")
    print(f"{len(found)} to build: crashcourse build" if found else "Every notebook matches its source.")
    return 1 if found else 0


def _list(options: argparse.Namespace) -> int:
    if options.what == "models":
        from crashcourse import classification, segmentation

        print(classification.models_table(), segmentation.models_table(), sep="\n\n")
        return 0
    from crashcourse.lessons.listing import listing
    from crashcourse.lessons.project import Project

    print(listing(Project()))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from crashcourse.lessons.doctor import examine, report

    findings = examine(options.workspace)
    print(report(findings))
    return 0 if all(finding.ok for finding in findings) else 1


def _status(options: argparse.Namespace) -> int:
    from crashcourse.exercises import progress_table

    print(progress_table())
    return 0


def _solution(options: argparse.Namespace) -> int:
    from crashcourse.exercises import solution_text

    print(solution_text(options.name))
    return 0


def _hint(options: argparse.Namespace) -> int:
    from crashcourse.exercises import hint_text

    print(hint_text(options.name))
    return 0


def _train(options: argparse.Namespace) -> int:
    from crashcourse.recipes import study

    if options.seeds < 1:
        raise CourseError(f"--seeds is {options.seeds}; it must be 1 or more.")
    study(options.name, scale=options.scale, seeds=options.seeds)
    return 0


def _download(options: argparse.Namespace) -> int:
    from crashcourse.datasets import download

    download(options.name)
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse that says one sentence, with the nearest verb, instead of its usage."""

    def error(self, message: str) -> NoReturn:
        raise CourseError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            of_verbs = isinstance(action, argparse._SubParsersAction)
            kind = "verb" if of_verbs else str(action.metavar or action.dest).lower()
            raise unknown(kind, value, [str(choice) for choice in action.choices])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="crashcourse", description="Deep learning for images: lessons that run and check themselves.")
    parser.add_argument("--version", action="version", version=f"crashcourse {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=_Parser)

    def verb(name: str, action: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        sub.set_defaults(verb=action)
        return sub

    _learner_verbs(verb)
    _author_verbs(verb)
    return parser


def _learner_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    sub = verb("lab", _lab, "open JupyterLab on your workspace, with the newest notebooks and your answers")
    _workspace_option(sub)
    sub.add_argument("--lesson", metavar="NN", help="the lesson to open (00)")
    sub.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    sub.add_argument("--port", type=int, metavar="P", help="the port to listen on")
    sub = verb("list", _list, "print the course, with what you have done, or the networks of the package")
    lists = ("lessons", "models")
    sub.add_argument(
        "what", nargs="?", default="lessons", choices=lists, metavar="LIST", help="lessons (as a rule) or models"
    )
    verb("status", _status, "print your progress, exercise by exercise")
    verb("hint", _hint, "print the next hint for an exercise").add_argument("name", metavar="EXERCISE")
    verb("solution", _solution, "print the solution of an exercise").add_argument("name", metavar="EXERCISE")
    verb("download", _download, "fetch a full data set").add_argument("name", metavar="DATASET")
    _workspace_option(verb("doctor", _doctor, "print versions, devices, memory and data, and what to do if amiss"))


def _author_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    sub = verb("run", _run, "run a lesson without a browser and print the time of each section")
    sub.add_argument("lesson", metavar="NN", help="its number or name: 11, vgg, 11_vgg")
    sub = verb("build", _build, "build notebooks from their sources")
    sub.add_argument("lessons", nargs="*", metavar="NN", help="the lessons to build (all)")
    sub.add_argument("--check", action="store_true", help="only list the notebooks that no longer match their source")
    sub.add_argument("--force", action="store_true", help="run lessons again although nothing has changed")
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="lessons to run at the same time (1)")
    sub = verb("train", _train, "train a recipe for several seeds and record the runs")
    sub.add_argument("name", metavar="RECIPE")
    sub.add_argument("--scale", default="study", choices=("laptop", "study", "gpu"), help="how large a run (study)")
    sub.add_argument("--seeds", type=int, default=3, metavar="N", help="how many runs, from seed 0 on (3)")


def _workspace_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", type=Path, default=WORKSPACE, metavar="DIR", help=f"your folder ({WORKSPACE})")
