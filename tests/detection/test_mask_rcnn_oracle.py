"""Mask R-CNN over ResNet-50 against torchvision's: the same weights, losses, boxes, scores and masks."""

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN as TheirMaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from crashcourse.detection.backbone import FrozenBatchNorm2d
from crashcourse.detection.mask_rcnn import MaskRCNN, maskrcnn_resnet50_fpn
from crashcourse.inspection import count_parameters

SIZES = {"min_size": 128, "max_size": 192}
Models = tuple[MaskRCNN, nn.Module]


def spread_ones(labels: Tensor, count: int, part: float) -> tuple[Tensor, Tensor]:
    """Positives and negatives at equal distances: a sampler without chance, for ours and theirs."""
    positive, negative = (labels >= 1).nonzero()[:, 0], (labels == 0).nonzero()[:, 0]
    positive = _spread(positive, int(count * part))
    return positive, _spread(negative, count - len(positive))


def _spread(indices: Tensor, count: int) -> Tensor:
    return indices[:: max(1, -(-len(indices) // count))]


class TheirSampler:
    def __init__(self, count: int, part: float) -> None:
        self.count, self.part = count, part

    def __call__(self, all_labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        chosen = [spread_ones(labels, self.count, self.part) for labels in all_labels]
        masks = [[torch.zeros_like(labels, dtype=torch.uint8) for _ in range(2)] for labels in all_labels]
        for own, pair in zip(masks, chosen, strict=True):
            for mask, indices in zip(own, pair, strict=True):
                mask[indices] = 1
        return [own[0] for own in masks], [own[1] for own in masks]


@pytest.fixture(scope="module")
def models() -> Models:
    """Ours and theirs with one set of weights, made so that signals keep their size and something is detected."""
    torch.manual_seed(0)
    norm = torchvision.ops.misc.FrozenBatchNorm2d
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm)
    theirs = TheirMaskRCNN(backbone, 91, **SIZES)
    with torch.no_grad():
        for name, buffer in theirs.named_buffers():
            if name.endswith(("bn1.running_var", "bn2.running_var", "bn3.running_var", "downsample.1.running_var")):
                buffer.uniform_(0.8, 1.2)
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            if name.endswith("bn3.weight"):
                buffer.fill_(0.3)  # else every block doubles the variance
        heads = theirs.roi_heads
        heads.box_predictor.cls_score.weight.normal_(0, 1.2)
        heads.box_predictor.bbox_pred.weight.normal_(0, 0.5)
        heads.mask_predictor.mask_fcn_logits.weight.normal_(0, 0.1)
    ours = maskrcnn_resnet50_fpn(frozen_norm=True, **SIZES)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    rpn, roi = (256, 0.5), (512, 0.25)
    ours.rpn.sampler, ours.roi_heads.sampler = (lambda labels, own=own: spread_ones(labels, *own) for own in (rpn, roi))
    theirs.rpn.fg_bg_sampler, theirs.roi_heads.fg_bg_sampler = TheirSampler(*rpn), TheirSampler(*roi)
    return ours, theirs


def images_and_targets() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Two images of different sizes; three objects, one on the border, and one."""
    generator = torch.Generator().manual_seed(1)
    images = [torch.rand(3, 130, 170, generator=generator), torch.rand(3, 160, 140, generator=generator)]
    boxes = [
        torch.tensor([[10.0, 20, 90, 100], [60, 30, 170, 130], [100.5, 5.5, 140.25, 60]]),
        torch.tensor([[20.0, 10, 120, 150]]),
    ]
    labels = [torch.tensor([1, 17, 90]), torch.tensor([3])]
    targets = []
    for image, own, names in zip(images, boxes, labels, strict=True):
        y, x = (torch.arange(side) + 0.5 for side in image.shape[-2:])
        centre, radius = (own[:, :2] + own[:, 2:]) / 2, (own[:, 2:] - own[:, :2]) / 2
        across = (x - centre[:, :1]) / radius[:, :1]  # (M, W)
        down = (y - centre[:, 1:]) / radius[:, 1:]  # (M, H)
        masks = (across[:, None] ** 2 + down[:, :, None] ** 2 < 1).to(torch.uint8)  # ellipses
        targets.append({"boxes": own, "labels": names, "masks": masks})
    return images, targets


def test_parameters_and_names(models):
    """Fails if a layer is missing, has another shape, or another name than the weights that people have."""
    ours, theirs = models
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert count_parameters(ours) == 44_401_393
    assert sum(isinstance(layer, FrozenBatchNorm2d) for layer in ours.modules()) == 53
    with torch.device("meta"):
        free = maskrcnn_resnet50_fpn()
        their_free = torchvision.models.detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    assert count_parameters(free) == sum(each.numel() for each in their_free.parameters()) == 44_454_513


def test_losses_equal_torchvisions_and_so_do_gradients(models):
    """Fails if a mask is cut out with another object, class or half pixel, or a loss has another mean.

    In double precision, since in single a ReLU near 0 may open for one and not for the other.
    """
    gradients = []
    losses = []
    for model in models:
        model.train().double()
        images, targets = images_and_targets()
        images = [image.double() for image in images]
        targets = [{**target, "boxes": target["boxes"].double()} for target in targets]
        found = model(images, targets)
        watched = {name: p for name, p in model.named_parameters() if "mask" in name or "fpn" in name}
        slopes = torch.autograd.grad(sum(found.values()), list(watched.values()))
        losses.append({name: value.item() for name, value in found.items()})
        gradients.append(dict(zip(watched, slopes, strict=True)))
        model.float()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert set(losses[0]) == {
        "loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg", "loss_mask"
    }  # fmt: skip
    for name, theirs in gradients[1].items():
        scale = theirs.abs().max()
        assert scale > 0, name
        assert (gradients[0][name] - theirs).abs().max() <= 1e-4 * scale, name


@torch.no_grad()
def test_boxes_scores_and_masks_equal_torchvisions(models):
    """Fails if the mask of another class is chosen, if boxes are scaled after pasting, or pasted at another pixel."""
    images, _ = images_and_targets()
    ours, theirs = (model.eval()(images) for model in models)
    for mine, other, image in zip(ours, theirs, images, strict=True):
        assert len(mine["boxes"]) >= 20, "too few detections to say anything"
        assert mine["masks"].shape == (len(mine["boxes"]), *image.shape[-2:])
        assert torch.equal(mine["labels"], other["labels"])
        torch.testing.assert_close(mine["scores"], other["scores"], atol=1e-4, rtol=0)
        torch.testing.assert_close(mine["boxes"], other["boxes"], atol=1e-4, rtol=1e-6)
        torch.testing.assert_close(mine["masks"], other["masks"][:, 0], atol=1e-4, rtol=0)
        assert mine["masks"].std() > 0.1, "masks that say nothing"
