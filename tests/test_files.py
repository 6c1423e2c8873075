"""Files that survive an interruption, and names that are not known."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from crashcourse.errors import CourseError, check_name, unknown
from crashcourse.files import locked, read_json, sha256_of, write_atomically


def test_a_file_is_written_whole_and_keeps_its_rights(tmp_path: Path) -> None:
    """Fails if a private file becomes readable for all, or a new one unreadable for others."""
    path = tmp_path / "deep" / "file.txt"
    write_atomically(path, "one ≈ 1")
    assert path.read_text(encoding="utf-8") == "one ≈ 1"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o600)
    write_atomically(path, b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o600)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a full disk cuts the old file short, or fills up further with leftovers."""
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(CourseError, match=r"No space left on device\. Free some space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    """Fails if the new content goes into the file itself."""
    path = tmp_path / "file.txt"
    write_atomically(path, "old")
    code = (
        "import os, sys; from pathlib import Path; from crashcourse.files import write_atomically\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "write_atomically(Path(sys.argv[1]), 'new' * 1000)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60)
    assert killed.returncode != 0
    assert path.read_text() == "old"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    """Fails if a cut file ends in a traceback."""
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CourseError, match=r"a\.json is not readable as JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("read", [read_json, sha256_of])
def test_what_cannot_be_opened_is_a_sentence(read: object, tmp_path: Path) -> None:
    """Fails if a missing file or a folder in its place ends in a traceback."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(CourseError, match="Could not read"):
            read(path)  # type: ignore[operator]


def test_a_second_process_waits_and_is_told_whom_for(tmp_path: Path) -> None:
    """Fails if two processes can hold one place, or the second waits for ever."""
    path = tmp_path / "place"
    code = (
        "import sys; from pathlib import Path; from crashcourse.files import locked\n"
        "with locked(Path(sys.argv[1]), timeout=0.2): print('in')"
    )
    second = [sys.executable, "-c", code, str(path)]
    with locked(path):
        refused = subprocess.run(second, capture_output=True, text=True, timeout=60)
    assert "Another process is using" in refused.stderr
    assert refused.stdout == ""
    assert subprocess.run(second, capture_output=True, text=True, timeout=60).stdout == "in\n"


def test_the_nearest_name_is_suggested_else_all_are_listed() -> None:
    """Fails if a typing mistake costs a search, or an empty list reads as a broken sentence."""
    assert str(unknown("recipe", "vgg_garment", ["vgg_garments", "tiny"])) == (
        "There is no recipe named 'vgg_garment'. Did you mean 'vgg_garments'?"
    )
    assert str(unknown("lesson", "x", ["b", "a"])) == "There is no lesson named 'x'. Known: a, b."
    assert str(unknown("lesson", "x", [])) == "There is no lesson named 'x'. Known: none."


@pytest.mark.parametrize("name", ["trian", "", None, 3, ["train"], {"train": 1}])
def test_a_name_is_a_text_that_is_known(name: object) -> None:
    """Fails if a list in place of a name ends in a TypeError about hashes."""
    assert check_name("split", "train", {"train": 1, "test": 2}) == "train"
    with pytest.raises(CourseError, match="There is no split named"):
        check_name("split", name, {"train": 1, "test": 2})


@pytest.mark.parametrize("door", ["garments", "photos", "download", "train", "load_record"])
def test_doors_that_take_a_name_refuse_what_is_none(door: str) -> None:
    """Fails if a door looks a list up in a dictionary."""
    from crashcourse import datasets, recipes

    call = {
        "garments": lambda: datasets.garments(["train"]),
        "photos": lambda: datasets.photos(["train"]),
        "download": lambda: datasets.download(["cifar10"]),
        "train": lambda: recipes.train(["vgg_garments"]),
        "load_record": lambda: recipes.load_record("vgg_garments", ["study"]),
    }[door]
    with pytest.raises(CourseError, match="There is no"):
        call()
