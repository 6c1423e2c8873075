"""Values as a learner should see them: a tensor's shape, dtype and first numbers, or a picture of it."""

import io
import numbers
from typing import Any

import torch
from torch import Tensor

from crashcourse.exercises.report import Picture

_SHOWN = 64
_LINES = 24


def describe(value: Any) -> str:
    """A value in a few lines: shape, dtype and numbers of a tensor; at most about 64 numbers."""
    if isinstance(value, Tensor):
        return _shorten(f"{summary(value)}\n{_numbers(value)}")
    if isinstance(value, dict):
        return _shorten("\n".join(f"{key}: {describe(item)}" for key, item in value.items()))
    if isinstance(value, tuple | list):
        if any(isinstance(item, Tensor | dict | tuple | list) for item in value):
            return _shorten("\n".join(f"[{i}] {describe(item)}" for i, item in enumerate(value)) or "()")
        return _shorten(f"({', '.join(map(describe, value))}{',' if len(value) == 1 else ''})")
    if isinstance(value, numbers.Integral):
        return whole_number(value)
    if isinstance(value, numbers.Real):
        return f"{float(value):.1f}" if float(value).is_integer() and abs(value) < 1e15 else f"{float(value):.6g}"
    return _shorten(value if isinstance(value, str) and "\n" in value else _repr(value))


def whole_number(value: Any) -> str:
    """A whole number, or how long it is where nobody would read it."""
    longest = 40
    digits = str(value) if abs(value) < 10**longest else ""
    return digits or f"a whole number of more than {longest} digits"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # the learner's own class
        return f"an object of type {type(value).__name__}"


def summary(tensor: Tensor) -> str:
    """A tensor's shape and dtype: `(1, 3, 4, 4) float32`."""
    if tensor.is_nested:
        return "tensors of different shapes in one (nested)"
    device = "" if tensor.device.type == "cpu" else f" on {tensor.device}"
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}{device}"


def _numbers(tensor: Tensor) -> str:
    import numpy

    if tensor.device.type == "meta" or tensor.is_nested or tensor.is_quantized:
        return "(no values)"
    tensor = tensor.detach().to_dense().cpu() if tensor.layout != torch.strided else tensor.detach().cpu()
    array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return numpy.array2string(
        array, precision=4, threshold=_SHOWN, edgeitems=3, suppress_small=True, separator=", ", max_line_width=96
    )


def _shorten(text: str) -> str:
    lines = text.splitlines()
    return text if len(lines) <= _LINES else "\n".join([*lines[:_LINES], f"... ({len(lines) - _LINES} more lines)"])


def comparison(expected: Any, got: Any) -> Picture | None:
    """Expected, got and their difference side by side; None when they are not two pictures of one shape."""
    pictures = [_plane(value) for value in (expected, got)]
    if pictures[0] is None or pictures[1] is None or pictures[0].shape != pictures[1].shape:
        return None
    right, yours = pictures[0], pictures[1].nan_to_num(0.0, 0.0, 0.0)
    low, high = right.min(), right.max()
    span = (high - low).clamp(min=1e-12)
    gap = (yours - right).abs()
    shown = [(right - low) / span, ((yours - low) / span).clamp(0, 1), gap / gap.max().clamp(min=1e-12)]
    alt = (
        "from left to right: expected, yours, their absolute difference (white is largest); "
        f"{int((gap > 1e-3 * span).any(0).sum())} of {gap[0].numel()} pixels differ visibly"
    )
    return Picture(_png(shown), alt)


def _plane(value: Any) -> Tensor | None:
    """The first picture of a tensor as `(3, H, W)` floats, None when it holds none."""
    if not isinstance(value, Tensor) or value.ndim < 2 or value.is_complex() or value.device.type == "meta":
        return None
    while value.ndim > 3:
        value = value[:1].reshape(value.shape[1:]) if value.shape[0] else value.new_zeros(value.shape[1:])
    value = value.detach().cpu().float()
    value = value[None] if value.ndim == 2 else value
    if value.shape[0] not in (1, 3) or value.numel() == 0:
        return None
    return value.expand(3, -1, -1)


def _png(pictures: list[Tensor]) -> bytes:
    """Pictures in a row, each enlarged to about 160 pixels without smoothing."""
    from PIL import Image

    height, width = pictures[0].shape[1:]
    scale = max(1, 160 // max(height, width))
    gap = torch.full((3, height * scale, 12), 0.5)
    row = []
    for picture in pictures:
        large = picture.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        row += [large, gap]
    pixels = (torch.cat(row[:-1], 2) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    stream = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(stream, "PNG")
    return stream.getvalue()
