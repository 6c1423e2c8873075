"""R-CNN: cut out every proposal, and ask a classifier's features what it is.

Paper: Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies for accurate object detection", 2013,
arXiv:1311.2524: section 2 (regions, features, one SVM for each class), appendix A (the warp), appendix C (box
regression).

**Differs from the paper:** proposals are given (`segment_proposals` makes some, where the paper has selective search);
the features are any network's; the SVMs have the squared hinge loss and see all negatives at once instead of mining the
hard ones, since here they fit into memory; SVMs and box regression use the same features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crashcourse.detection.box_deltas import decode_deltas, encode_deltas
from crashcourse.detection.boxes import box_iou, check_objects, clip_boxes
from crashcourse.detection.detection_images import Target, check_target
from crashcourse.detection.nms import batched_nms
from crashcourse.errors import CourseError

NEGATIVE_BELOW, REGRESS_FROM, SUPPRESS_ABOVE = 0.3, 0.6, 0.3
"""IoU: below it a proposal is a negative of a class; from it on it helps to learn boxes; above it, it is suppressed."""
MEAN_NORM = 20.0  # features are scaled to it before the SVMs


def warp_regions(image: Tensor, boxes: Tensor, size: int = 227, *, context: int = 16) -> Tensor:
    """Cut out boxes and stretch each to a square, with a margin of its surroundings (appendix A, "warp").

    Args:
        image: `(C, H, W)` float, with the mean taken off: what lies outside the image becomes 0.
        boxes: `(K, 4)` xyxy pixels, each with an area.
        size: pixels of the squares' sides.
        context: pixels of margin on each side of the squares.

    Returns:
        `(K, C, size, size)`; the box itself fills the middle `size − 2 · context` pixels.

    Raises:
        CourseError: a box without an area, or a margin that leaves no middle.
    """
    check_objects(boxes)
    if image.ndim != 3 or not 0 <= 2 * context < size:
        raise CourseError(f"One image (C, H, W) and a margin below {size // 2}; got {tuple(image.shape)}, {context}.")
    if not len(boxes):
        return image.new_zeros(0, len(image), size, size)
    height, width = image.shape[1:]
    whole = boxes.new_tensor([width, height])
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * size / (size - 2 * context)  # with the margin
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    zoom, shift = 2 * half / whole, 2 * centre / whole - 1  # grid_sample counts from -1 to 1
    theta = torch.diag_embed(zoom)  # (K, 2, 2)
    theta = torch.cat([theta, shift[..., None]], 2)  # (K, 2, 3)
    grid = F.affine_grid(theta, (len(boxes), len(image), size, size), align_corners=False)
    return F.grid_sample(image.expand(len(boxes), -1, -1, -1), grid, align_corners=False)


class RCNN(nn.Module):
    """Features of each region, a linear SVM for each class, and a linear box regression for each class.

    Args:
        features: regions `(K, 3, size, size)` -> vectors `(K, F)`; in evaluation mode. It runs once for each proposal.
        dimensions: F.
        num_classes: without background; labels are 1 to num_classes, as in the other detectors.
        size, context: of the warp.
        mean: of the images' channels, taken off before the warp.
    """

    def __init__(
        self,
        features: nn.Module,
        dimensions: int,
        num_classes: int,
        *,
        size: int = 227,
        context: int = 16,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
    ) -> None:
        super().__init__()
        self.features, self.size, self.context = features, size, context
        self.svm = nn.Linear(dimensions, num_classes)
        self.regressor = nn.Linear(dimensions, 4 * num_classes)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        nn.init.zeros_(self.regressor.weight)
        nn.init.zeros_(self.regressor.bias)

    @torch.no_grad()
    def describe(self, image: Tensor, boxes: Tensor, *, batch_size: int = 64) -> Tensor:
        """One run of the network for each region: `(3, H, W)` in [0, 1] and `(K, 4)` -> `(K, F)`."""
        if not len(boxes):
            return image.new_zeros(0, self.svm.in_features)
        regions = (
            warp_regions(image - self.mean, part, self.size, context=self.context) for part in boxes.split(batch_size)
        )
        return torch.cat([self.features(part) for part in regions])

    @torch.no_grad()
    def forward(
        self, images: Sequence[Tensor], proposals: Sequence[Tensor], *, least_score: float = -1.0, most: int = 100
    ) -> list[dict[str, Tensor]]:
        """Detect among given proposals.

        Args:
            images: each `(3, H, W)` float in [0, 1].
            proposals: for each image `(P, 4)` xyxy pixels.
            least_score: an SVM's score, 0 on its boundary; −1 is where its negatives should lie.
            most: detections of an image.

        Returns:
            For each image "boxes" `(D, 4)` inside it, "labels" `(D,)` from 1 on, "scores" `(D,)`, best first.

        Raises:
            CourseError: other proposals than images, or a proposal without an area.
        """
        if len(images) != len(proposals):
            raise CourseError(f"{len(images)} images came with {len(proposals)} sets of proposals.")
        found = []
        for image, own in zip(images, proposals, strict=True):
            vectors = self.describe(image, own) * self.scale
            scores = self.svm(vectors)  # (P, classes)
            deltas = self.regressor(vectors).unflatten(1, (-1, 4))  # (P, classes, 4)
            boxes = clip_boxes(decode_deltas(deltas, own[:, None]), image.shape[-2:])
            region, label = ((scores > least_score) & (boxes[..., 2:] > boxes[..., :2]).all(-1)).nonzero().T
            boxes, scores = boxes[region, label], scores[region, label]
            kept = batched_nms(boxes, scores, label, SUPPRESS_ABOVE)[:most]
            found.append({"boxes": boxes[kept], "labels": label[kept] + 1, "scores": scores[kept]})
        return found


class _Regions(NamedTuple):
    """All regions of all images: features, and what they are.

    Attributes:
        features: `(K, F)`.
        signs: `(K, classes)`: 1 for an object of the class, −1 for a negative of it, 0 for neither.
        owner: `(K,)` int64: the class of the object that a region overlaps by 0.6 or more, from 0; else −1.
        deltas: `(K, 4)`: to that object's box; 0 where there is none.
    """

    features: Tensor
    signs: Tensor
    owner: Tensor
    deltas: Tensor


def fit_rcnn(
    model: RCNN,
    images: Sequence[Tensor],
    proposals: Sequence[Tensor],
    targets: Sequence[Target],
    *,
    cost: float = 1e-3,
    penalty: float = 1000.0,
) -> None:
    """Fit SVMs and box regression in closed form or nearly so; the features stay as they are.

    Args:
        model: in evaluation mode.
        images: each `(3, H, W)` float in [0, 1].
        proposals: for each image `(P, 4)`.
        targets: for each image "boxes" and "labels" from 1 on.
        cost: C of the SVMs.
        penalty: λ of the ridge regression.

    Raises:
        CourseError: lists of different length, a target that no detector can use, or no object at all.
    """
    if not len(images) == len(proposals) == len(targets):
        raise CourseError(f"{len(images)} images, {len(proposals)} proposals, {len(targets)} targets: each needs all.")
    classes = model.svm.out_features
    for target in targets:
        check_target(target, classes + 1)
    parts = [_regions(model, *known, classes) for known in zip(images, proposals, targets, strict=True)]
    regions = _Regions(*(torch.cat(values) for values in zip(*parts, strict=True)))
    if not bool((regions.signs > 0).any()):
        raise CourseError("R-CNN cannot be fitted without an object in any image.")
    model.scale.fill_(MEAN_NORM / regions.features.norm(dim=1).mean().clamp(min=1e-12))
    vectors = regions.features * model.scale
    fit_svms(model.svm, vectors, regions.signs, cost=cost)
    for label in range(classes):
        own = regions.owner == label
        weight, bias = ridge_regression(vectors[own], regions.deltas[own], penalty)
        with torch.no_grad():
            model.regressor.weight[4 * label : 4 * label + 4] = weight
            model.regressor.bias[4 * label : 4 * label + 4] = bias


def _regions(model: RCNN, image: Tensor, proposals: Tensor, target: Target, classes: int) -> _Regions:
    objects, labels = target["boxes"], target["labels"] - 1
    boxes = torch.cat([objects, proposals.to(objects)])
    features = model.describe(image, boxes)
    signs = -torch.ones(len(boxes), classes)
    owner, deltas = torch.full((len(boxes),), -1), torch.zeros(len(boxes), 4)
    if len(objects):
        iou = box_iou(boxes, objects)  # (K, G)
        for label in range(classes):
            mine = labels == label
            if mine.any():
                signs[iou[:, mine].amax(1) >= NEGATIVE_BELOW, label] = 0
        signs[torch.arange(len(objects)), labels] = 1
        best, nearest = iou.max(1)
        close = best >= REGRESS_FROM
        owner[close] = labels[nearest[close]]
        deltas[close] = encode_deltas(objects[nearest[close]], boxes[close])
    return _Regions(features, signs, owner, deltas)


def fit_svms(layer: nn.Linear, features: Tensor, signs: Tensor, *, cost: float) -> None:
    """One linear SVM for each class, all at once: ½ |w|² + C Σ max(0, 1 − y (w x + b))², by L-BFGS.

    Args:
        layer: F inputs, one output for each class; it is changed in place.
        features: `(K, F)`.
        signs: `(K, classes)`: y, 1 or −1; 0 leaves a region out of a class.
        cost: C.
    """
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    with torch.enable_grad():
        optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

        def objective() -> Tensor:
            optimizer.zero_grad()
            missing = (1 - signs * F.linear(features, layer.weight, layer.bias)).clamp(min=0) * (signs != 0)
            loss = layer.weight.square().sum() / 2 + cost * missing.square().sum()
            loss.backward()
            return loss

        optimizer.step(objective)
    layer.zero_grad()


def ridge_regression(features: Tensor, targets: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Least squares with λ |w|² (equation 5 of the paper); the bias is free.

    Args:
        features: `(K, F)`; K may be 0.
        targets: `(K, T)`.
        penalty: λ, above 0.

    Returns:
        Weight `(T, F)` and bias `(T,)`; both 0 where K is 0.
    """
    if not penalty > 0:
        raise CourseError(f"The penalty of a ridge regression is above 0; got {penalty}.")
    if not len(features):
        return features.new_zeros(targets.shape[1], features.shape[1]), features.new_zeros(targets.shape[1])
    middle, level = features.double().mean(0), targets.double().mean(0)
    centred, rest = features.double() - middle, targets.double() - level
    square = centred.T @ centred + penalty * torch.eye(features.shape[1], dtype=torch.float64, device=features.device)
    weight = torch.linalg.solve(square, centred.T @ rest).T  # (T, F)
    return weight.to(features), (level - weight @ middle).to(features)
