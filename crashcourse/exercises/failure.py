"""What a learner's code raised: the error and the learner's own line, without our frames and the library's."""

import linecache
import os
import re
import sysconfig
from dataclasses import dataclass
from types import TracebackType

from crashcourse.exercises.limits import TimeLimitReached

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARIES = tuple(
    os.path.abspath(path) + os.sep for path in {sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")}
)


@dataclass(frozen=True)
class Failure:
    """An exception, as a learner should see it.

    Attributes:
        kind: the exception's type: "ValueError".
        message: its message.
        number: the line number in the learner's own code, 0 when none of its lines was reached.
        line: that line, "" when its source is not known.
        unattempted: the learner's own `raise NotImplementedError`.
        timed_out: the time limit ended it.
    """

    kind: str
    message: str
    number: int = 0
    line: str = ""
    unattempted: bool = False
    timed_out: bool = False

    @classmethod
    def of(cls, error: BaseException, filename: str | None) -> "Failure":
        """Read an exception.

        Args:
            error: as caught.
            filename: the file (or notebook cell) that defines the learner's answer, where it is known.
        """
        entry = _own_entry(error.__traceback__, filename)
        cause = error.__context__
        while entry is None and isinstance(error, TimeLimitReached) and isinstance(cause, TimeLimitReached):
            entry, cause = _own_entry(cause.__traceback__, filename), cause.__context__  # raised again while it ended
        number = _line_number(entry) if entry else 0
        line = linecache.getline(entry.tb_frame.f_code.co_filename, number).strip() if entry else ""
        message = str(error).strip()
        unattempted = isinstance(error, NotImplementedError) and (
            "NotImplementedError" in line if line else not message
        )
        return cls(type(error).__name__, message, number, line, unattempted, isinstance(error, TimeLimitReached))

    def resembles(self, other: "Failure", *, message: bool) -> bool:
        """Whether two failures are of the same type and, if asked, say the same but for numbers and names."""
        return self.kind == other.kind and (not message or _pattern(self.message) == _pattern(other.message))


def _own_entry(trace: TracebackType | None, filename: str | None) -> TracebackType | None:
    """The innermost entry of the learner's code: in its own file, else outside of ours and the libraries."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    files = [entry.tb_frame.f_code.co_filename for entry in entries]
    own = [entry for entry, file in zip(entries, files, strict=True) if file == filename]
    if not own:
        foreign = (_OURS, *_LIBRARIES, "<frozen")
        own = [entry for entry, file in zip(entries, files, strict=True) if not file.startswith(foreign)]
    return own[-1] if own else None


def _line_number(entry: TracebackType) -> int:
    """An entry's line; the jump back of an empty loop has none of its own, then the last one before it."""
    if entry.tb_lineno is not None:
        return entry.tb_lineno
    code = entry.tb_frame.f_code
    before = [line for start, _, line in code.co_lines() if line is not None and start <= entry.tb_lasti]
    return before[-1] if before else code.co_firstlineno


def _pattern(message: str) -> str:
    return re.sub(r"0x[0-9a-f]+|\d+|'[^']*'", "#", message)
