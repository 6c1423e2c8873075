"""Images as tensors, offline: garments, photographs, generated scenes and cells, batches in memory, checked downloads.

Nothing here knows any model. `garments` and `photos` read the project's own `data/` and installed packages; `scenes`
makes pictures with exact boxes, masks and keypoints, `cells` such with exactly numbered cells; `vgg16_weights`
gives weights that others trained, as tensors; `download` is the one door to the network.
"""

from crashcourse.datasets.augment import cutout, random_crop, random_flip
from crashcourse.datasets.batches import Batches
from crashcourse.datasets.cells import Cells, cells
from crashcourse.datasets.downloads import download
from crashcourse.datasets.fashion_mnist import garments
from crashcourse.datasets.images import ImageSet
from crashcourse.datasets.manifest import verify
from crashcourse.datasets.photographs import Photo, paintings, photos
from crashcourse.datasets.pretrained import vgg16_weights
from crashcourse.datasets.scene_generator import scenes
from crashcourse.datasets.scene_types import Scene, Scenes

__all__ = [
    "Batches",
    "Cells",
    "ImageSet",
    "Photo",
    "Scene",
    "Scenes",
    "cells",
    "cutout",
    "download",
    "garments",
    "paintings",
    "photos",
    "random_crop",
    "random_flip",
    "scenes",
    "verify",
    "vgg16_weights",
]
