"""Files that survive an interruption: written beside and renamed, hashed, locked between processes."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crashcourse.errors import CourseError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part of it.

    Raises:
        CourseError: the folder cannot be written or the disk is full; the old file is then as it was.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(beside).chmod(mode)
        os.replace(beside, path)
    except OSError as error:
        raise CourseError(
            f"Could not write {path}: {error.strerror or error}. Free some space or choose a folder you may write to; "
            "the file is as it was before."
        ) from error
    finally:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CourseError: the file is missing, unreadable or not JSON; the sentence names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"Could not read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CourseError(f"{path} is not readable as JSON ({error}). It may be cut short.") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        CourseError: the file is missing or unreadable.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CourseError(f"Could not read {path}: {error.strerror or error}.") from error


@contextlib.contextmanager
def locked(path: Path, *, timeout: float = 20.0) -> Iterator[None]:
    """Hold `path` for this process alone, through a lock file beside it.

    Raises:
        CourseError: another process held it for longer than `timeout` seconds, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=timeout)
        lock.acquire()
    except Timeout as error:
        raise CourseError(f"Another process is using {path}. Wait for it to finish, then try again.") from error
    except OSError as error:
        raise CourseError(f"Could not write beside {path}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
