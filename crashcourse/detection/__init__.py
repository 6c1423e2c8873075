"""Object detection, one file per idea or paper: lessons 20 to 24.

Boxes are `(N, 4)` float tensors, xyxy in pixels with continuous coordinates, wherever a name does not say otherwise.
"""

from crashcourse.detection.average_precision import (
    COCO_THRESHOLDS,
    DetectionScores,
    Scores,
    average_precision,
    precision_recall,
)
from crashcourse.detection.boxes import box_area, box_iou, clip_boxes, convert_boxes, generalized_box_iou
from crashcourse.detection.nms import batched_nms, greedy_nms, nms, soft_nms
from crashcourse.detection.yolo import Grid, Target, decode, encode_batch, encode_targets, predict, stack_targets
from crashcourse.detection.yolo_loss import YoloLoss, yolo_v1_loss
from crashcourse.detection.yolo_network import SmallYolo, YoloV1, small_yolo, yolo_v1

__all__ = [
    "COCO_THRESHOLDS",
    "DetectionScores",
    "Grid",
    "Scores",
    "SmallYolo",
    "Target",
    "YoloLoss",
    "YoloV1",
    "average_precision",
    "batched_nms",
    "box_area",
    "box_iou",
    "clip_boxes",
    "convert_boxes",
    "decode",
    "encode_batch",
    "encode_targets",
    "generalized_box_iou",
    "greedy_nms",
    "nms",
    "precision_recall",
    "predict",
    "small_yolo",
    "soft_nms",
    "stack_targets",
    "yolo_v1",
    "yolo_v1_loss",
]
