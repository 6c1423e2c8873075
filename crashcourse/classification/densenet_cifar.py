"""DenseNet for 32×32 images: the networks of the CIFAR and SVHN experiments.

Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", CVPR 2017, arXiv 1608.06993:
section 3 (implementation details), section 4.2 (dropout), table 2 (depths, growth rates and parameters). "B" stands
for bottlenecks, "C" for compression in the transitions.

**Differs from the paper:** nothing but parameter names and initialisation, see `densenet.py`.
"""

from crashcourse.classification.densenet import Configuration, DenseNet, is_count
from crashcourse.errors import CourseError


def densenet_basic(
    depth: int = 40,
    growth: int = 12,
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    dropout: float = 0.0,
    checkpointing: bool = False,
) -> DenseNet:
    """The paper's "DenseNet" for 32×32 images: three blocks of 3×3 convolutions, transitions that keep all channels.

    1,019,722 parameters with depth 40 and growth 12, 6,979,642 with (100, 12), 27,249,082 with (100, 24).

    Args:
        depth: layers with weights: the stem, two transitions, the dense layer, and three equal blocks.
        growth: channels that every layer adds, k.
        num_classes: size of the output.
        in_channels: channels of the images.
        dropout: the paper takes 0.2 where images are not augmented.
        checkpointing: as for `DenseNet`.

    Raises:
        CourseError: depth - 4 is not a multiple of 3, or a number is out of its range.
    """
    layers = _layers_per_block(depth, convolutions=1)
    configuration = Configuration(growth, (layers,) * 3, 16, bottleneck=0, compression=1.0, small_images=True)
    return DenseNet(configuration, num_classes, in_channels=in_channels, dropout=dropout, checkpointing=checkpointing)


def densenet_bc(
    depth: int = 100,
    growth: int = 12,
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    dropout: float = 0.0,
    checkpointing: bool = False,
) -> DenseNet:
    """The paper's "DenseNet-BC" for 32×32 images: three blocks with bottlenecks, transitions that halve the channels.

    769,162 parameters with depth 100 and growth 12, 15,324,406 with (250, 24), 25,624,430 with (190, 40).

    Args:
        depth: layers with weights, as for `densenet_basic`, but every layer of a block has two.
        growth: channels that every layer adds, k.
        num_classes: size of the output.
        in_channels: channels of the images.
        dropout: the paper takes 0.2 where images are not augmented.
        checkpointing: as for `DenseNet`.

    Raises:
        CourseError: depth - 4 is not a multiple of 6, or a number is out of its range.
    """
    layers = _layers_per_block(depth, convolutions=2)
    configuration = Configuration(growth, (layers,) * 3, 2 * growth, small_images=True)
    return DenseNet(configuration, num_classes, in_channels=in_channels, dropout=dropout, checkpointing=checkpointing)


def _layers_per_block(depth: int, *, convolutions: int) -> int:
    """(L - 4) / 3 layers of one convolution each, or half as many of two."""
    unit = 3 * convolutions
    if not is_count(depth) or depth < 4 + unit or (depth - 4) % unit:
        raise CourseError(
            f"depth must be 4 plus a multiple of {unit}, for three equal blocks: {4 + unit}, {4 + 2 * unit}, ...; "
            f"got {depth!r}."
        )
    return (depth - 4) // unit
