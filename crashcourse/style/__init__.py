"""Style transfer, one file per idea or paper: lessons 40 and 41.

Images are `(1, 3, H, W)` float in [0, 1], RGB, wherever nothing else is said.
"""

from crashcourse.style.canvas import Canvas
from crashcourse.style.encoder import Encoder, random_encoder, vgg16_encoder
from crashcourse.style.gatys import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    Objective,
    content_loss,
    gram,
    reconstruct_content,
    reconstruct_style,
    style_layer_loss,
    style_loss,
    total_variation,
    transfer,
)

__all__ = [
    "CONTENT_LAYER",
    "STYLE_LAYERS",
    "Canvas",
    "Encoder",
    "Objective",
    "content_loss",
    "gram",
    "random_encoder",
    "reconstruct_content",
    "reconstruct_style",
    "style_layer_loss",
    "style_loss",
    "total_variation",
    "transfer",
    "vgg16_encoder",
]
