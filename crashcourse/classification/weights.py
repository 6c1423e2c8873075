"""Weights that others have trained: torchvision's official ImageNet weights in this course's networks."""

import http.client
import io
import pickle
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from crashcourse.classification.models import MODELS
from crashcourse.environment import is_static
from crashcourse.errors import CourseError, unknown

MEAN = (0.485, 0.456, 0.406)
"""Of red, green and blue over ImageNet's training images in [0, 1]; torchvision's weights expect it taken off."""

STD = (0.229, 0.224, 0.225)
"""Standard deviations to `MEAN`."""


def load_pretrained(name: str, *, version: str = "IMAGENET1K_V1", progress: bool = True) -> nn.Module:
    """One of this room's networks with torchvision's official ImageNet weights, in evaluation mode.

    The weights are fetched once by torchvision's own loader, which checks them against the hash in their name and keeps
    them in PyTorch's cache. Prepare images with `normalize`. GoogLeNet comes without its auxiliary heads, which nobody
    has trained. While lessons are built and tested (`CRASHCOURSE_STATIC=1`) there are no weights, cached or not: what a
    lesson shows must not depend on the machine.

    Args:
        name: of a network in `MODELS` that torchvision has: "resnet50".
        version: "IMAGENET1K_V1" is near the paper; "IMAGENET1K_V2", where it exists, was trained longer.
        progress: show a bar while weights are fetched.

    Raises:
        CourseError: unknown names, networks without official weights, no network, or a damaged file.
    """
    source = _source(name, version)
    file = _cached(source)
    if is_static():
        raise _unreachable(name, source.url, file, "builds and tests stay offline")
    try:
        state = _fetch(name, source, progress)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(name, source.url, file, error) from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CourseError(
            f"The weights of {name} are damaged ({_first_line(error)}). Delete {file} if it exists and try again."
        ) from error
    options = {"aux_heads": False} if name == "googlenet" else {}
    model = MODELS[name](**options)
    model.load_state_dict(state, strict=True)
    return model.eval()


def normalize(images: Tensor, name: str = "resnet50") -> Tensor:
    """Images as the official weights of a network expect them.

    Args:
        images: (N, 3, H, W) float in [0, 1].
        name: of the network. GoogLeNet's weights take (images - 0.5) / 0.5, all others `MEAN` and `STD`.

    Returns:
        (N, 3, H, W) float, about of mean 0 and variance 1.

    Raises:
        CourseError: another shape, or not floating point.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise CourseError(
            f"normalize takes float images (N, 3, H, W) in [0, 1]; got {tuple(images.shape)} {images.dtype}. "
            "Turn bytes into [0, 1] with images.float() / 255."
        )
    mean, std = ((0.5,) * 3, (0.5,) * 3) if name == "googlenet" else (MEAN, STD)
    centre, scale = (images.new_tensor(values).view(3, 1, 1) for values in (mean, std))
    return (images - centre) / scale


def _source(name: str, version: str) -> Any:
    """The entry of torchvision's table of weights."""
    from torchvision.models import get_model_weights

    if name not in MODELS:
        raise unknown("network", name, MODELS)
    try:
        versions = get_model_weights(name)
    except ValueError:
        raise CourseError(
            f"Nobody publishes official weights of {name}; resnet50 and mobilenet_v2 have some."
        ) from None
    if version not in versions.__members__:
        raise CourseError(
            f"The weights of {name} are called {' and '.join(v.name for v in versions)}; got {version!r}."
        )
    return versions[version]


def _fetch(name: str, source: Any, progress: bool) -> dict[str, Tensor]:
    """The state of torchvision's own network: its builder checks the hash and translates the names in old files."""
    from torchvision.models import get_model

    with nullcontext() if progress else redirect_stdout(io.StringIO()):  # the loader announces itself
        return get_model(name, weights=source, progress=progress).state_dict()


def _cached(source: Any) -> Path:
    """Where torchvision keeps the file."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(source.url).path).name


def _unreachable(name: str, url: str, file: Path, reason: object) -> CourseError:
    return CourseError(
        f"The weights of {name} could not be fetched ({_first_line(reason)}). Call load_pretrained({name!r}) once "
        f"where there is a network, or fetch {url} elsewhere and put it at {file}."
    )


def _first_line(reason: object) -> str:
    return (str(reason).splitlines() or [type(reason).__name__])[0][:120]
