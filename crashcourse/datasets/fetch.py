"""Fetch one file over a network that may fail: resumed, hashed, and put in place whole or not at all."""

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from crashcourse.environment import is_static
from crashcourse.errors import CourseError
from crashcourse.files import locked

CHUNK = 1 << 16
ATTEMPTS = 4  # tries in a row that bring nothing new before giving up
TIMEOUT = 30.0  # seconds without a byte before a try counts as cut
WAIT = 3600.0  # seconds to wait for another process that fetches the same file


class NoNetworkError(CourseError):
    """The server could not be reached at all."""


def fetch(url: str, path: Path, md5: str, *, progress: bool = True) -> Path:
    """Fetch `url` into `path` unless it is there already with the right hash.

    What arrives is kept in `path` with `.part` added, so that the next call goes on where a cut, a full disk or Ctrl-C
    stopped this one. Only a whole file with the right hash gets its name. A second process waits and finds it done.

    Args:
        url: where the file is, http or https.
        path: where it goes.
        md5: its MD5 in hexadecimal, as its publisher states it.
        progress: show a bar.

    Raises:
        NoNetworkError: the server cannot be reached.
        CourseError: the server refuses, the connection keeps failing, the hash is wrong, or the disk cannot take the
        file.
    """
    if _has_hash(path, md5):
        return path
    with locked(path, timeout=WAIT):
        if _has_hash(path, md5):
            return path
        part = path.with_name(path.name + ".part")
        resumed = part.exists()
        try:
            _complete(url, part, progress)
            if not _has_hash(part, md5) and resumed:  # the old part was of another version
                part.unlink()
                _complete(url, part, progress)
            if not _has_hash(part, md5):
                part.unlink()
                raise CourseError(
                    f"{url} gave a file with another MD5 than {md5}; it was thrown away. Try again later."
                )
            os.replace(part, path)
        except OSError as error:
            raise _disk_error(part, error) from error
    return path


def _has_hash(path: Path, md5: str) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def _complete(url: str, part: Path, progress: bool) -> None:
    """Ask for what is missing of `part` until nothing is."""
    useless = 0
    while True:
        before = _size(part)
        total = _receive(url, part, progress)
        if total is not None and _size(part) >= total:
            return
        useless = 0 if _size(part) > before else useless + 1
        if useless >= ATTEMPTS:
            got = f"{_size(part) / 1e6:.1f}" + (f" of {total / 1e6:.1f}" if total else "")
            raise CourseError(
                f"The connection to {urlsplit(url).netloc} was cut again and again after {got} MB. "
                "What came is kept: run the same again to go on from there."
            )


def _receive(url: str, part: Path, progress: bool) -> int | None:
    """Append to `part` what one answer brings; the whole file's size if it is known by then."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "crashcourse", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        return _refused(url, error, part, have)
    except (http.client.HTTPException, ConnectionResetError, TimeoutError):
        return None
    except urllib.error.URLError as error:
        raise NoNetworkError(f"Could not reach {urlsplit(url).netloc} ({error.reason}).") from error
    with answer:
        if answer.status != 206:  # the server starts over, and so do we
            have = 0
        total = _total(answer, have)
        _room_for(part, total, have)
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            _copy(answer, file, _bar(part, have, total, progress))
    return total if total is not None else _size(part)


def _refused(url: str, error: urllib.error.HTTPError, part: Path, have: int) -> int | None:
    if error.code == 416 and have:  # nothing after the part: it is whole, or of another file
        size = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if size and int(size[1]) == have:
            return have
        part.unlink()
        return None
    if error.code >= 500:
        return None
    raise CourseError(f"{urlsplit(url).netloc} refused {urlsplit(url).path}: {error.code} {error.reason}.") from error


def _total(answer: http.client.HTTPResponse, have: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return have + int(length) if length and length.isdigit() else None


def _room_for(part: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total and total - have > free:
        raise CourseError(
            f"{part.name.removesuffix('.part')} needs {(total - have) / 1e6:.0f} MB more, and {part.parent} has "
            f"{free / 1e6:.0f} MB free. Free some space, then run the same again."
        )


def _copy(answer: Any, file: BinaryIO, bar: Any) -> None:
    with bar:
        while True:
            try:
                chunk = answer.read(CHUNK)
            except (http.client.HTTPException, OSError):  # the network's side: cut, reset, timed out
                break
            if not chunk:
                break
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _bar(part: Path, have: int, total: int | None, progress: bool) -> Any:
    from tqdm.auto import tqdm

    name = part.name.removesuffix(".part")
    return tqdm(
        desc=name,
        initial=have,
        total=total,
        unit="B",
        unit_scale=True,
        disable=not progress or is_static(),
        leave=False,
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _disk_error(part: Path, error: OSError) -> CourseError:
    return CourseError(
        f"Could not write {part}: {error.strerror or error}. Free some space or choose a folder you may write to; "
        "what came so far is kept, and the same call goes on from there."
    )
