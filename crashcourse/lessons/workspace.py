"""The learner's workspace: notebooks brought in and kept up to date, and nothing that a learner wrote ever overwritten.

`.crashcourse.json` in the workspace remembers each notebook as it was delivered. From that, for each lesson:

| the learner's file | the course's notebook | what happens |
|---|---|---|
| absent | | copied |
| as delivered, or only opened and saved | newer | replaced |
| changed, or run | the same | left alone |
| changed, or run | newer | kept beside as `11_vgg.before-update-1.ipynb`; answers carried into the new one |
| unreadable | | left alone, said |

A lesson that was run without a word changed counts as changed: its outputs may have taken an hour on a GPU.
The order of writing is copy, notebook, state; each is atomic, and a sync that was cut short is finished by the next.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError
from crashcourse.files import read_json, write_atomically
from crashcourse.lessons.answers import answers, carry, content_hash, stubs
from crashcourse.lessons.hashes import text_hash
from crashcourse.lessons.normalise import parse, serialise
from crashcourse.lessons.project import Project

STATE = ".crashcourse.json"
_FORMAT = 1


@dataclass(frozen=True)
class Delivered:
    """A notebook as it was brought to the learner: the hashes of its file, of what one sees, and of its stubs."""

    file: str
    content: str
    stubs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, notebook: Any) -> "Delivered":
        """What to remember of a notebook of the course."""
        return cls(text_hash(text.encode()), content_hash(notebook), stubs(notebook))


@dataclass(frozen=True)
class Synced:
    """What became of one notebook.

    Attributes:
        name: `11_vgg`.
        outcome: `new`, `current`, `refreshed`, `yours` (changed by the learner, left alone), `updated` (answers
            carried, old file beside) or `unreadable`.
        detail: a sentence for the learner, or nothing.
    """

    name: str
    outcome: str
    detail: str = ""


def sync(workspace: Path, project: Project) -> list[Synced]:
    """Bring a workspace up to date. The caller holds its lock: `workspace_lock`.

    Raises:
        CourseError: the workspace cannot be used or its state cannot be read; nothing was changed then.
    """
    check_workspace(workspace, project)
    upstream = sorted(project.notebooks.glob("*.ipynb"))
    if not upstream:
        raise CourseError("The course holds no built notebooks; in a clone, run `crashcourse build` first.")
    state = state_of(workspace)
    return [_sync_one(path, workspace, state) for path in upstream]


def place_of(workspace: Path) -> Path:
    """A workspace as an absolute path, without `~`.

    Raises:
        CourseError: there is no such user.
    """
    try:
        return workspace.expanduser().absolute()
    except RuntimeError as error:
        raise CourseError(f"{workspace} names a user who is not known here; give --workspace a folder.") from error


def check_workspace(workspace: Path, project: Project) -> None:
    """Refuse a workspace that is a file, that is the course's own folder of notebooks, or that cannot be looked at."""
    try:
        is_file = workspace.exists() and not workspace.is_dir()
        is_ours = workspace.resolve() == project.notebooks.resolve()
    except (OSError, RuntimeError) as error:  # too long a name, a locked folder, links in a ring
        reason = getattr(error, "strerror", None) or error
        raise CourseError(f"{workspace} cannot be used: {reason}. Give --workspace another folder.") from error
    if is_file:
        raise CourseError(f"{workspace} is a file; give --workspace a folder, or a name that is free.")
    if is_ours:
        raise CourseError(f"{workspace} holds the course's own notebooks; give --workspace another folder.")


def _sync_one(path: Path, workspace: Path, state: dict[str, Delivered]) -> Synced:
    content = path.read_bytes()
    notebook = parse(content, path.name)
    text = content.decode()
    new, old, target = Delivered.of(text, notebook), state.get(path.stem), workspace / path.name
    if not target.exists():
        return _deliver(target, text, new, state, "new")
    try:
        mine_bytes = target.read_bytes()
    except OSError as error:
        detail = f"{target.name} cannot be opened ({error.strerror or error})."
        return Synced(path.stem, "unreadable", f"{detail} It was left as it is; rename it to get a fresh copy.")
    mine_hash = text_hash(mine_bytes)
    if mine_hash == new.file:
        return _remember(path.stem, new, old, workspace, state, Synced(path.stem, "current"))
    try:
        mine = parse(mine_bytes, target.name)
    except CourseError as error:
        return Synced(path.stem, "unreadable", f"{error} It was left as it is; rename it to get a fresh copy.")
    if old is None:
        detail = f"{target.name} was there already; it was left as it is."
        return _remember(path.stem, new, old, workspace, state, Synced(path.stem, "yours", detail))
    if mine_hash == old.file or content_hash(mine) == old.content:
        return _deliver(target, text, new, state, "refreshed") if new != old else Synced(path.stem, "current")
    if new.file == old.file:
        return Synced(path.stem, "yours")
    return _update(target, mine_bytes, mine, notebook, old, new, state)


def _deliver(target: Path, text: str, new: Delivered, state: dict[str, Delivered], outcome: str) -> Synced:
    write_atomically(target, text)
    return _remember(target.stem, new, None, target.parent, state, Synced(target.stem, outcome))


def _update(
    target: Path,
    mine_bytes: bytes,
    mine: Any,
    notebook: Any,
    old: Delivered,
    new: Delivered,
    state: dict[str, Delivered],
) -> Synced:
    kept = answers(mine, old.stubs, new.stubs)
    merged, vanished = carry(notebook, kept)
    merged_text = serialise(merged)
    carried = [name for name in kept if name not in vanished]
    if text_hash(mine_bytes) == text_hash(merged_text.encode()):  # an earlier sync stopped before it wrote the state
        return _remember(target.stem, new, old, target.parent, state, Synced(target.stem, "yours"))
    beside = _keep_beside(target, mine_bytes)
    write_atomically(target, merged_text)
    detail = _update_sentence(target.name, beside.name, carried, vanished)
    return _remember(target.stem, new, old, target.parent, state, Synced(target.stem, "updated", detail))


def _update_sentence(name: str, beside: str, carried: list[str], vanished: list[str]) -> str:
    sentence = f"{name} has a new version. Your old file is {beside}, with its outputs and notes."
    if carried:
        sentence += f" Carried over, run them again: {', '.join(carried)}."
    else:
        sentence += " It held no changed exercise, so there was nothing to carry over."
    if vanished:
        sentence += f" No longer in the lesson, so only in the old file: {', '.join(vanished)}."
    return sentence


def _keep_beside(target: Path, content: bytes) -> Path:
    """Keep a copy under the first free name, unless a copy with this content is there from an interrupted sync."""
    number = 1
    while True:
        beside = target.with_name(f"{target.stem}.before-update-{number}.ipynb")
        if not beside.exists():
            write_atomically(beside, content)
            return beside
        if beside.read_bytes() == content:
            return beside
        number += 1


def _remember(
    name: str, new: Delivered, old: Delivered | None, workspace: Path, state: dict[str, Delivered], result: Synced
) -> Synced:
    if new != old:
        state[name] = new
        entries = {key: vars(value) for key, value in sorted(state.items())}
        write_atomically(workspace / STATE, json.dumps({"format": _FORMAT, "notebooks": entries}, indent=1) + "\n")
    return result


def state_of(workspace: Path) -> dict[str, Delivered]:
    """What was delivered to a workspace, by notebook; nothing where nothing was.

    Raises:
        CourseError: the state file cannot be read.
    """
    path = workspace / STATE
    if not path.exists():
        return {}
    advice = "No notebook was touched. Move that file away to start afresh: your notebooks then stay as they are."
    try:
        content = read_json(path)
        if content["format"] != _FORMAT:
            raise CourseError(f"{path} comes from another version of the course.")
        return {name: _entry(entry) for name, entry in content["notebooks"].items()}
    except CourseError as error:
        raise CourseError(f"{error} {advice}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path} does not hold what it should. {advice}") from error


def _entry(entry: dict[str, Any]) -> Delivered:
    if not (isinstance(entry["file"], str) and isinstance(entry["content"], str) and isinstance(entry["stubs"], dict)):
        raise TypeError(entry)
    return Delivered(entry["file"], entry["content"], dict(entry["stubs"]))
