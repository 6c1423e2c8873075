"""The learner's workspace: whatever is changed on either side, and wherever a sync is cut short, no answer is lost."""

import json
import os
from pathlib import Path

import nbformat.v4 as v4
import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons import workspace as room
from crashcourse.lessons.normalise import parse, serialise
from crashcourse.lessons.project import Project
from crashcourse.lessons.workspace import STATE, sync

STUB = '@exercise("vgg.double")\ndef double(x):\n    raise NotImplementedError'
ANSWER = '@exercise("vgg.double")\ndef double(x):\n    return 2 * x'


def notebook(version=1, *, exercises=("vgg.double",), stub=STUB, output="not attempted"):
    cells = [v4.new_markdown_cell(f"# VGG, version {version}", id="a")]
    for place, name in enumerate(exercises):
        metadata = {"crashcourse": {"exercise": name}}
        outputs = [v4.new_output("stream", name="stdout", text=output)]
        source = stub.replace("vgg.double", name)
        cells.append(v4.new_code_cell(source, id=f"e{place}", metadata=metadata, outputs=outputs, execution_count=1))
    return v4.new_notebook(cells=cells)


class Home:
    """A course and a learner's workspace."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root=root / "project")
        self.project.notebooks.mkdir(parents=True)
        self.folder = root / "mine"
        self.file = self.folder / "11_vgg.ipynb"

    def publish(self, version=1, **options) -> str:
        text = serialise(notebook(version, **options))
        (self.project.notebooks / "11_vgg.ipynb").write_text(text, encoding="utf-8")
        return text

    def sync(self):
        self.folder.mkdir(exist_ok=True)
        (result,) = sync(self.folder, self.project)
        return result

    def read(self, name="11_vgg.ipynb"):
        return parse((self.folder / name).read_text(encoding="utf-8"), name)

    def edit(self, change) -> bytes:
        mine = self.read()
        change(mine)
        self.file.write_text(serialise(mine), encoding="utf-8")
        return self.file.read_bytes()

    def solve(self) -> bytes:
        return self.edit(lambda mine: mine.cells[1].update(source=ANSWER))

    def names(self):
        return sorted(path.name for path in self.folder.iterdir() if path.suffix == ".ipynb")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.publish()
    return home


def test_an_absent_notebook_is_copied_and_an_untouched_one_replaced(home):
    assert home.sync().outcome == "new"
    assert home.sync().outcome == "current"
    text = home.publish(2)
    assert home.sync().outcome == "refreshed"
    assert home.file.read_text(encoding="utf-8") == text
    assert home.names() == ["11_vgg.ipynb"]


def test_a_notebook_that_was_only_opened_and_saved_counts_as_untouched(home):
    home.sync()
    home.edit(lambda mine: mine.metadata.update(language_info={"name": "python", "version": "3.12"}))
    assert home.sync().outcome == "current"
    text = home.publish(2)
    assert home.sync().outcome == "refreshed"
    assert home.file.read_text(encoding="utf-8") == text


def test_a_changed_notebook_is_left_alone_while_the_course_is_the_same(home):
    home.sync()
    mine = home.solve()
    assert [home.sync().outcome for _ in range(2)] == ["yours", "yours"]
    assert home.file.read_bytes() == mine


def test_answers_are_carried_into_a_new_version_and_the_old_file_is_kept(home):
    home.sync()
    mine = home.solve()
    home.publish(2, exercises=("vgg.new", "vgg.double"), stub=STUB + "  # improved")
    result = home.sync()
    assert result.outcome == "updated"
    assert "vgg.double" in result.detail
    new = home.read()
    assert new.cells[0].source == "# VGG, version 2"
    assert new.cells[1].source.endswith("# improved"), "an exercise that was not answered has its new stub"
    assert new.cells[2].source == ANSWER
    assert new.cells[2].outputs == [], "an answer that was not run in the new version shows no verdict"
    assert (home.folder / "11_vgg.before-update-1.ipynb").read_bytes() == mine
    assert home.sync().outcome == "yours"

    home.publish(3)
    assert home.sync().outcome == "updated"
    assert home.read().cells[1].source == ANSWER, "an answer is carried through every later version"
    assert home.names() == ["11_vgg.before-update-1.ipynb", "11_vgg.before-update-2.ipynb", "11_vgg.ipynb"]


def test_a_notebook_that_was_only_run_is_kept_beside_for_its_outputs(home):
    home.sync()
    mine = home.edit(lambda n: n.cells[1].outputs[0].update(text="an hour on a GPU"))
    home.publish(2)
    result = home.sync()
    assert result.outcome == "updated"
    assert "nothing to carry over" in result.detail
    assert (home.folder / "11_vgg.before-update-1.ipynb").read_bytes() == mine
    assert home.read().cells[1].source == STUB


def test_an_exercise_that_vanished_is_kept_in_the_old_file_and_said(home):
    home.sync()
    mine = home.solve()
    home.publish(2, exercises=("vgg.other",))
    result = home.sync()
    assert "No longer in the lesson, so only in the old file: vgg.double" in result.detail
    assert (home.folder / "11_vgg.before-update-1.ipynb").read_bytes() == mine


@pytest.mark.parametrize("metadata", [{}, {"crashcourse": "text"}, {"crashcourse": {"exercise": "vgg.other"}}])
def test_an_answer_is_found_by_its_call_where_its_metadata_is_lost(home, metadata):
    home.sync()

    def move(mine):
        del mine.cells[1]
        mine.cells.append(v4.new_code_cell("# my try\n" + ANSWER, metadata=metadata))

    home.edit(move)
    home.publish(2)
    home.sync()
    assert home.read().cells[1].source == "# my try\n" + ANSWER


def test_the_last_of_several_tries_is_carried(home):
    home.sync()
    home.edit(lambda mine: mine.cells.extend([v4.new_code_cell(ANSWER), v4.new_code_cell(ANSWER + " + 0")]))
    home.publish(2)
    home.sync()
    assert home.read().cells[1].source == ANSWER + " + 0"


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("solved", [True, False])
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_sync_cut_short_at_any_point_is_finished_by_the_next(home, monkeypatch, writes, solved):
    home.sync()
    mine = home.solve() if solved else home.edit(lambda n: n.cells.append(v4.new_code_cell("my_note = 1")))
    home.publish(2, exercises=("vgg.double", "vgg.new"), stub=STUB + "  # improved")
    left, whole = [writes], room.write_atomically

    def until_the_cut(path, content):
        if not left[0]:
            raise Cut
        left[0] -= 1
        whole(path, content)

    monkeypatch.setattr(room, "write_atomically", until_the_cut)
    with pytest.raises(Cut):
        home.sync()
    assert any((home.folder / name).read_bytes() == mine for name in home.names()), (
        "the answers must be there at any time"
    )
    monkeypatch.setattr(room, "write_atomically", whole)
    home.sync()
    assert home.names() == ["11_vgg.before-update-1.ipynb", "11_vgg.ipynb"], "a second copy would be clutter"
    assert (home.folder / "11_vgg.before-update-1.ipynb").read_bytes() == mine
    assert home.read().cells[1].source == (ANSWER if solved else STUB + "  # improved")
    assert home.read().cells[2].source.endswith("# improved")
    assert home.sync().outcome in ("yours", "current")


def test_a_first_delivery_cut_short_is_finished_by_the_next(home, monkeypatch):
    whole = room.write_atomically
    monkeypatch.setattr(
        room, "write_atomically", lambda path, content: whole(path, content) if path.suffix == ".ipynb" else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        home.sync()
    monkeypatch.setattr(room, "write_atomically", whole)
    assert home.sync().outcome == "current"
    home.publish(2)
    assert home.sync().outcome == "refreshed"


@pytest.mark.parametrize(
    "content", [b"", b'{"cells": [', b"\xff\xfe", b"[]", b"{}", b'{"cells": [{"cell_type": "code"}]}']
)
@pytest.mark.parametrize("version", [1, 2])
def test_an_unreadable_notebook_is_never_overwritten(home, content, version):
    home.sync()
    home.file.write_bytes(content)
    home.publish(version)
    result = home.sync()
    assert (result.outcome, home.file.read_bytes()) == ("unreadable", content)
    assert "11_vgg.ipynb is not readable" in result.detail
    assert home.names() == ["11_vgg.ipynb"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_folder_in_the_place_of_a_notebook_is_left_and_the_others_are_brought(home, version):
    """One thing that cannot be opened stops the whole course from opening."""
    home.file.parent.mkdir(parents=True, exist_ok=True)
    home.file.mkdir()
    (home.project.notebooks / "12_new.ipynb").write_bytes((home.project.notebooks / "11_vgg.ipynb").read_bytes())
    home.publish(version)
    found = {result.name: result for result in sync(home.folder, home.project)}
    assert found["11_vgg"].outcome == "unreadable"
    assert "11_vgg.ipynb cannot be opened" in found["11_vgg"].detail
    assert home.file.is_dir()
    assert found["12_new"].outcome == "new"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 1}', '{"format": 2, "notebooks": {}}', '{"format": 1, "notebooks": {"a": 3}}'],
)
def test_with_an_unreadable_state_nothing_is_touched(home, content):
    home.sync()
    mine = home.solve()
    (home.folder / STATE).write_text(content)
    home.publish(2)
    with pytest.raises(CourseError, match="No notebook was touched"):
        home.sync()
    assert home.file.read_bytes() == mine
    assert (home.folder / STATE).read_text() == content


def test_a_notebook_of_the_course_that_was_cut_short_is_a_sentence_and_touches_nothing(home):
    """A clone on a full disk, cut in the middle of a ≈, ends in a UnicodeDecodeError."""
    home.sync()
    mine = home.solve()
    theirs = home.project.notebooks / "11_vgg.ipynb"
    theirs.write_bytes('{"cells": "≈'.encode()[:-1])
    with pytest.raises(CourseError, match=r"11_vgg\.ipynb is not readable as a notebook"):
        home.sync()
    assert home.file.read_bytes() == mine


def test_with_the_state_gone_a_changed_notebook_is_left_and_updated_from_then_on(home):
    home.sync()
    mine = home.solve()
    (home.folder / STATE).unlink()
    result = home.sync()
    assert (result.outcome, home.file.read_bytes()) == ("yours", mine)
    assert "was there already" in result.detail
    home.publish(2)
    assert home.sync().outcome == "updated"
    assert home.read().cells[1].source == ANSWER


def test_a_lesson_that_left_the_course_and_files_of_the_learner_stay(home):
    home.sync()
    (home.folder / "notes.ipynb").write_text("mine")
    (home.project.notebooks / "11_vgg.ipynb").rename(home.project.notebooks / "12_new.ipynb")
    assert home.sync().name == "12_new"
    assert home.names() == ["11_vgg.ipynb", "12_new.ipynb", "notes.ipynb"]


def test_a_workspace_that_cannot_be_one_is_refused(home, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="is a file"):
        sync(tmp_path / "file", home.project)
    with pytest.raises(CourseError, match="own notebooks"):
        sync(home.project.notebooks, home.project)
    (home.project.notebooks / "11_vgg.ipynb").unlink()
    with pytest.raises(CourseError, match="no built notebooks"):
        home.sync()


def test_a_disk_that_fails_is_a_sentence_and_the_file_stays(home, monkeypatch):
    home.sync()
    mine = home.solve()
    home.publish(2)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CourseError, match="No space left"):
        home.sync()
    monkeypatch.undo()
    assert home.file.read_bytes() == mine
    assert home.names() == ["11_vgg.ipynb"]
    assert json.loads((home.folder / STATE).read_text())["format"] == 1
