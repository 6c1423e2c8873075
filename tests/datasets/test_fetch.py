"""One file over a bad network: whole and right, or not there and a sentence why."""

import errno
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple

import pytest

from crashcourse.datasets import fetch as module
from crashcourse.datasets.fetch import NoNetworkError, fetch
from crashcourse.errors import CourseError

CONTENT = random.Random(0).randbytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def file(server, tmp_path):
    """(url, path) of a file that the server has."""
    server.files["/set.bin"] = CONTENT
    return server.url + "set.bin", tmp_path / "set.bin"


def part(path):
    return path.with_name(path.name + ".part")


def test_a_whole_file_arrives_and_is_not_fetched_twice(server, file):
    url, path = file
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT
    fetch(url, path, MD5, progress=False)
    assert server.asked == [("/set.bin", None)]
    assert not part(path).exists()


def test_a_cut_connection_is_resumed_where_it_was_cut(server, file):
    url, path = file
    server.cuts = [100_000, 50_000]
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_without_ranges_starts_over_and_still_gives_the_file(server, file):
    url, path = file
    server.cuts, server.ranges = [100_000], False
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT


def test_a_connection_that_is_always_cut_ends_in_a_sentence_and_keeps_what_came(server, file):
    url, path = file
    server.cuts = [120_000] + [0] * 20
    with pytest.raises(CourseError, match=r"cut again and again after 0\.1 of 0\.3 MB.*kept"):
        fetch(url, path, MD5, progress=False)
    assert not path.exists()
    server.cuts.clear()
    server.asked.clear()
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT
    assert server.asked == [("/set.bin", "bytes=120000-")]


def test_a_wrong_hash_is_refused_and_nothing_is_left(server, file):
    url, path = file
    server.files["/set.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(CourseError, match="another MD5"):
        fetch(url, path, MD5, progress=False)
    assert not path.exists()
    assert not part(path).exists()


@pytest.mark.parametrize("old", [b"of another version" * 50, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 9)])
def test_a_part_of_another_version_is_thrown_away_and_fetched_anew(file, old):
    url, path = file
    part(path).write_bytes(old)
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT


def test_a_part_that_is_whole_needs_no_more_bytes(server, file):
    url, path = file
    part(path).write_bytes(CONTENT)
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=300000-"]


def test_a_damaged_file_under_the_right_name_is_replaced(file):
    url, path = file
    path.write_bytes(CONTENT[:1000])
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT


def test_no_network_is_told_from_a_refusal(server, file, tmp_path):
    _, path = file
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(NoNetworkError, match="Could not reach 127"):
            fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/x", path, MD5, progress=False)
    with pytest.raises(CourseError, match="404") as refused:
        fetch(server.url + "nothing", path, MD5, progress=False)
    assert not isinstance(refused.value, NoNetworkError)
    assert list(tmp_path.glob("*.bin*")) in ([], [tmp_path / "set.bin.lock"])


def test_a_server_in_trouble_is_asked_a_few_times_and_no_more(server, file):
    url, path = file
    server.status = 503
    with pytest.raises(CourseError, match="again and again"):
        fetch(url, path, MD5, progress=False)
    assert len(server.asked) == module.ATTEMPTS


def test_a_disk_without_room_is_refused_before_it_is_filled(file, monkeypatch):
    url, path = file
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CourseError, match="Free some space"):
        fetch(url, path, MD5, progress=False)
    assert not path.exists()


def test_a_disk_that_fills_up_on_the_way_keeps_the_part(file, monkeypatch):
    url, path = file
    real = os.fsync

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CourseError, match=r"No space left.*kept"):
        fetch(url, path, MD5, progress=False)
    assert part(path).exists()
    monkeypatch.setattr(os, "fsync", real)
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT


def test_a_place_that_cannot_be_written_is_a_sentence(file, tmp_path):
    url, _ = file
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(CourseError, match="Could not write"):
        fetch(url, tmp_path / "a file" / "set.bin", MD5, progress=False)


def script(url, path):
    code = "import sys; from pathlib import Path; from crashcourse.datasets.fetch import fetch\n"
    code += "print('ready', flush=True)\n"
    code += "fetch(sys.argv[1], Path(sys.argv[2]), sys.argv[3], progress=False); print('done')"
    return subprocess.Popen(
        [sys.executable, "-c", code, url, str(path), MD5], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_fetch_it_once(server, file):
    url, path = file
    server.gate.clear()
    both = [script(url, path), script(url, path)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    while not server.asked:
        time.sleep(0.02)
    time.sleep(0.3)  # the second is now waiting for the first
    server.gate.set()
    assert [process.communicate(timeout=60) for process in both] == [("done\n", "")] * 2
    assert len(server.asked) == 1
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_stopped_leaves_a_part_that_the_next_one_completes(server, file, blow):
    url, path = file
    server.gate.clear()
    process = script(url, path)
    while not server.asked:
        time.sleep(0.02)
    server.cuts = []
    time.sleep(0.3)
    process.send_signal(blow)
    process.communicate(timeout=60)
    assert not path.exists()
    server.gate.set()
    assert fetch(url, path, MD5, progress=False).read_bytes() == CONTENT


def test_progress_is_shown_and_static_builds_stay_quiet(file, capsys, monkeypatch):
    url, path = file
    monkeypatch.setenv("CRASHCOURSE_STATIC", "")
    fetch(url, path, MD5)
    assert "set.bin" in capsys.readouterr().err
    path.unlink()
    monkeypatch.setenv("CRASHCOURSE_STATIC", "1")
    fetch(url, path, MD5)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_threads_of_one_process_fetch_it_once_too(server, file):
    url, path = file
    threads = [threading.Thread(target=fetch, args=(url, path, MD5), kwargs={"progress": False}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
