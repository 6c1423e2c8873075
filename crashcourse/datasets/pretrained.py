"""Weights that travel with the course: trained by others on ImageNet, as plain tensors, for a network to take."""

from torch import Tensor

from crashcourse.errors import CourseError
from crashcourse.places import data_dir

VGG16_FILE = "weights/vgg16_conv4_1.safetensors"


def vgg16_weights() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of VGG-16's first eight convolutions, up to conv4_1, rounded to half precision.

    `crashcourse.style.vgg16_encoder` takes them. `data/README.md` has their source and licence.

    Returns:
        torchvision's name, such as "features.0.weight" -> (out, in, 3, 3) or (out,) float32.

    Raises:
        CourseError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = data_dir() / VGG16_FILE
    try:
        return {name: values.float() for name, values in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise CourseError(f"Could not read the weights {path}: {error}. Restore them from the repository.") from error
