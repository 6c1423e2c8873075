"""A class for every pixel, one file per idea or paper: lessons 30 to 34.

Images are `(N, C, H, W)` float, labels `(N, H, W)` whole numbers, logits `(N, C, H, W)`: one channel where there is one
class, else one for each class, background included as class 0. Numbered cells are `(H, W)` whole numbers, 0 is
background.

`MODELS` is the table of the room's networks: `MODELS["unet_2015"]()` builds one, `models_table()` prints them all.
`crashcourse.segmentation.resunet` is the builder; the module of the same name is reached by
`from crashcourse.segmentation.resunet import ResUNet`.
"""

from crashcourse.segmentation.losses import binary_cross_entropy, cross_entropy, dice_loss, focal_loss
from crashcourse.segmentation.models import MODELS, Network, models_table
from crashcourse.segmentation.objects import cell_ious, count_matches, label_objects, seg_score, separate_cells
from crashcourse.segmentation.resunet import ResidualBlock, ResUNet, resunet
from crashcourse.segmentation.scores import (
    class_iou,
    confusion_matrix,
    frequency_weighted_iou,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
)
from crashcourse.segmentation.tiling import mirror_pad, mirrored_places, overlap_tile
from crashcourse.segmentation.unet import DoubleConv, UNet, UpBlock, center_crop, small_unet, unet_2015, unet_padded
from crashcourse.segmentation.weights import balance, border_weight_map, cell_distances, looped_border_weight_map

__all__ = [
    "MODELS",
    "DoubleConv",
    "Network",
    "ResUNet",
    "ResidualBlock",
    "UNet",
    "UpBlock",
    "balance",
    "binary_cross_entropy",
    "border_weight_map",
    "cell_distances",
    "cell_ious",
    "center_crop",
    "class_iou",
    "confusion_matrix",
    "count_matches",
    "cross_entropy",
    "dice_loss",
    "focal_loss",
    "frequency_weighted_iou",
    "label_objects",
    "looped_border_weight_map",
    "mean_accuracy",
    "mean_iou",
    "mirror_pad",
    "mirrored_places",
    "models_table",
    "overlap_tile",
    "pixel_accuracy",
    "resunet",
    "seg_score",
    "separate_cells",
    "small_unet",
    "unet_2015",
    "unet_padded",
]
