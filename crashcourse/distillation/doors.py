"""The checks at the doors of this room: one sentence for logits, labels, maps and numbers that it cannot take."""

import torch
from torch import Tensor

from crashcourse.errors import CourseError


def check_logits(logits: Tensor, what: str = "Logits") -> None:
    """Refuse anything but (N, K) float with N at least 1 and K at least 2. Values are not looked at."""
    if not isinstance(logits, Tensor):
        raise CourseError(f"{what} must be a tensor (N, K) float; got {type(logits).__name__}.")
    if logits.ndim != 2 or len(logits) < 1 or logits.shape[1] < 2 or not logits.is_floating_point():
        raise CourseError(
            f"{what} must be (N, K) float, with K at least 2 classes; got {tuple(logits.shape)} {logits.dtype}."
        )


def check_pair(student: Tensor, teacher: Tensor) -> None:
    """Refuse logits of student and teacher that are not of one shape."""
    check_logits(student, "The student's logits")
    check_logits(teacher, "The teacher's logits")
    if student.shape != teacher.shape:
        raise CourseError(
            f"Student and teacher must answer for the same images and classes; got logits {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}."
        )


def check_labels(labels: Tensor, logits: Tensor) -> None:
    """Refuse anything but (N,) int64 labels of the classes that the logits have."""
    if not isinstance(labels, Tensor) or labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        got = f"{tuple(labels.shape)} {labels.dtype}" if isinstance(labels, Tensor) else type(labels).__name__
        raise CourseError(f"Labels must be ({len(logits)},) int64, one for each row of logits; got {got}.")
    if labels.device.type != "cuda" and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise CourseError(
            f"Labels of {logits.shape[1]} classes are 0 to {logits.shape[1] - 1}; these run from {int(labels.min())} "
            f"to {int(labels.max())}."
        )


def check_class(index: object, logits: Tensor) -> None:
    """Refuse anything but the number of a class that the logits have."""
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < logits.shape[1]:
        raise CourseError(f"A class of these logits is a whole number from 0 to {logits.shape[1] - 1}; got {index!r}.")


HOTTEST = 1e5
"""The highest temperature: beyond it the divergence is lost in double precision, too."""


def check_temperature(temperature: object) -> None:
    """Refuse anything but a number above 0, up to `HOTTEST`."""
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not number or not 0 < temperature <= HOTTEST:
        raise CourseError(
            f"A temperature is a number above 0 and at most {HOTTEST:,.0f}, such as 4; got {temperature!r}. "
            "For the limit of high temperatures take logit_loss()."
        )


def check_share(value: object, what: str) -> None:
    """Refuse anything but a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise CourseError(f"{what} is a number from 0 to 1; got {value!r}.")


def check_form(form: object, what: str) -> None:
    """Refuse anything but (C, H, W), three integers of at least 1."""
    fits = isinstance(form, tuple | list) and len(form) == 3  # torch.Size is a tuple
    if not fits or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in form):
        raise CourseError(f"{what} is (C, H, W), three whole numbers of at least 1; got {form!r}.")
