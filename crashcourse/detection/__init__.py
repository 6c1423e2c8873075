"""Object detection, one file per idea or paper: lessons 20 to 24.

Boxes are `(N, 4)` float tensors, xyxy in pixels with continuous coordinates, wherever a name does not say otherwise.

`decode`, `predict`, `Target` and `Grid` are YOLO's; SSD and the R-CNNs have theirs under longer names. As in
torchvision, `crashcourse.detection.nms` is the function; the module of the same name is reached by
`from crashcourse.detection.nms import nms`, and likewise `average_precision`, `roi_align`, `roi_pool` and
`segment_proposals`.
"""

from crashcourse.detection.anchors import AnchorGenerator, cell_anchors, grid_anchors
from crashcourse.detection.average_precision import (
    COCO_THRESHOLDS,
    DetectionScores,
    Scores,
    average_precision,
    precision_recall,
)
from crashcourse.detection.box_deltas import decode_deltas, encode_deltas
from crashcourse.detection.boxes import box_area, box_iou, clip_boxes, convert_boxes, generalized_box_iou
from crashcourse.detection.failures import found_objects, why_missed
from crashcourse.detection.fast_rcnn import FastRCNN, SingleMap, fast_rcnn_vgg16
from crashcourse.detection.faster_rcnn import FasterRCNN, fasterrcnn_resnet50_fpn, fasterrcnn_vgg16, small_faster_rcnn
from crashcourse.detection.fpn import FeaturePyramid, MultiScalePool, PyramidBackbone, assign_levels, resnet_fpn
from crashcourse.detection.mask_rcnn import MaskRCNN, mask_loss, maskrcnn_resnet50_fpn, small_mask_rcnn
from crashcourse.detection.masks import mask_targets, paste_masks
from crashcourse.detection.matching import BalancedSampler, match
from crashcourse.detection.nms import batched_nms, greedy_nms, nms, soft_nms
from crashcourse.detection.rcnn import RCNN, fit_rcnn, warp_regions
from crashcourse.detection.roi_align import bilinear_sample, looped_roi_align, roi_align
from crashcourse.detection.roi_heads import RoIHeads, fast_rcnn_loss
from crashcourse.detection.roi_pool import looped_roi_pool, roi_pool
from crashcourse.detection.rpn import RegionProposalNetwork, RPNHead
from crashcourse.detection.segment_proposals import segment_proposals
from crashcourse.detection.simulated import simulated_detections
from crashcourse.detection.ssd import SSD, decode_ssd, predict_ssd, small_ssd, ssd300_vgg16
from crashcourse.detection.ssd_boxes import (
    SSD300,
    SSD300_COCO,
    DefaultBoxes,
    SsdTarget,
    decode_offsets,
    encode_offsets,
    encode_ssd_targets,
    match_defaults,
    stack_ssd_targets,
)
from crashcourse.detection.ssd_loss import MultiboxLoss, hard_negatives, multibox_loss
from crashcourse.detection.yolo import Grid, Target, decode, encode_batch, encode_targets, predict, stack_targets
from crashcourse.detection.yolo_assignment import best_anchor, cells_v5, left_in_peace, match_v5, shape_iou
from crashcourse.detection.yolo_loss import YoloLoss, responsible, yolo_v1_loss
from crashcourse.detection.yolo_network import SmallYolo, YoloV1, small_yolo, yolo_v1
from crashcourse.detection.yolo_versions import (
    VERSIONS,
    Version,
    anchors_by_k_means,
    complete_box_iou,
    decode_v2,
    decode_v5,
)

__all__ = [
    "COCO_THRESHOLDS",
    "RCNN",
    "SSD",
    "SSD300",
    "SSD300_COCO",
    "VERSIONS",
    "AnchorGenerator",
    "BalancedSampler",
    "DefaultBoxes",
    "DetectionScores",
    "FastRCNN",
    "FasterRCNN",
    "FeaturePyramid",
    "Grid",
    "MaskRCNN",
    "MultiScalePool",
    "MultiboxLoss",
    "PyramidBackbone",
    "RPNHead",
    "RegionProposalNetwork",
    "RoIHeads",
    "Scores",
    "SingleMap",
    "SmallYolo",
    "SsdTarget",
    "Target",
    "Version",
    "YoloLoss",
    "YoloV1",
    "anchors_by_k_means",
    "assign_levels",
    "average_precision",
    "batched_nms",
    "best_anchor",
    "bilinear_sample",
    "box_area",
    "box_iou",
    "cell_anchors",
    "cells_v5",
    "clip_boxes",
    "complete_box_iou",
    "convert_boxes",
    "decode",
    "decode_deltas",
    "decode_offsets",
    "decode_ssd",
    "decode_v2",
    "decode_v5",
    "encode_batch",
    "encode_deltas",
    "encode_offsets",
    "encode_ssd_targets",
    "encode_targets",
    "fast_rcnn_loss",
    "fast_rcnn_vgg16",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_vgg16",
    "fit_rcnn",
    "found_objects",
    "generalized_box_iou",
    "greedy_nms",
    "grid_anchors",
    "hard_negatives",
    "left_in_peace",
    "looped_roi_align",
    "looped_roi_pool",
    "mask_loss",
    "mask_targets",
    "maskrcnn_resnet50_fpn",
    "match",
    "match_defaults",
    "match_v5",
    "multibox_loss",
    "nms",
    "paste_masks",
    "precision_recall",
    "predict",
    "predict_ssd",
    "resnet_fpn",
    "responsible",
    "roi_align",
    "roi_pool",
    "segment_proposals",
    "shape_iou",
    "simulated_detections",
    "small_faster_rcnn",
    "small_mask_rcnn",
    "small_ssd",
    "small_yolo",
    "soft_nms",
    "ssd300_vgg16",
    "stack_ssd_targets",
    "stack_targets",
    "warp_regions",
    "why_missed",
    "yolo_v1",
    "yolo_v1_loss",
]
