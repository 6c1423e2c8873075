"""Faster R-CNN over a pyramid against torchvision's: with its weights the same losses, gradients and detections."""

from functools import lru_cache

import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn as torchvisions
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FasterRCNN as TorchvisionsFasterRCNN

from crashcourse.detection.backbone import set_norm_eps
from crashcourse.detection.fast_rcnn import fast_rcnn_vgg16
from crashcourse.detection.faster_rcnn import FasterRCNN, fasterrcnn_resnet50_fpn, fasterrcnn_vgg16
from crashcourse.detection.matching import BalancedSampler
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters

SIZES = {"min_size": 160, "max_size": 256}
PROPOSALS = 300  # of so many scores hardly two are equal, so that both sort them alike


def fill(model):
    """Random weights with which there is something to detect, and statistics that are no fresh network's."""
    generator = torch.Generator().manual_seed(0)
    state = model.state_dict()
    for name, values in state.items():
        noise = torch.randn(values.shape, generator=generator) if values.is_floating_point() else None
        if name.endswith("running_mean"):
            values.copy_(noise * 0.1)
        elif name.endswith("running_var"):
            values.copy_(noise.abs() * 0.2 + 0.8)
        elif "cls_score" in name:
            values.copy_(noise * 0.1)
        elif "bbox_pred" in name or "cls_logits" in name:
            values.copy_(noise * 0.02)
    return state


@lru_cache(maxsize=2)
def pair(frozen: bool):
    """Ours and theirs with the same weights; BatchNorm fixed, or learning."""
    limits = {
        f"rpn_{when}_nms_top_n_{mode}": PROPOSALS // (1 if when == "pre" else 2)
        for when in ("pre", "post")
        for mode in ("train", "test")
    }
    torch.manual_seed(0)
    if frozen:
        backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=5)
        theirs = TorchvisionsFasterRCNN(backbone, 91, **SIZES, **limits)
    else:
        theirs = torchvisions(weights=None, weights_backbone=None, **SIZES, **limits)
    ours = fasterrcnn_resnet50_fpn(frozen_norm=frozen, **SIZES)
    ours.rpn.before_nms, ours.rpn.after_nms = (PROPOSALS,) * 2, (PROPOSALS // 2,) * 2
    ours.load_state_dict(fill(theirs), strict=True)
    return ours, theirs


def images():
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(3, 150, 200, generator=generator), torch.rand(3, 180, 140, generator=generator)]


def targets(second):
    boxes = torch.tensor([[10.0, 20, 80, 90], [100, 30, 190, 140], [0, 0, 25, 30]])
    return [
        {"boxes": boxes, "labels": torch.tensor([3, 7, 90])},
        {"boxes": boxes[:second] * 0.7, "labels": torch.tensor([5, 1, 2])[:second]},
    ]


def as_masks(sampler):
    """Our sampler as theirs: called once for all images, and answering with masks."""

    def sample(labels_of_images):
        chosen = [sampler(labels) for labels in labels_of_images]
        masks = [[torch.zeros_like(labels, dtype=torch.uint8) for labels in labels_of_images] for _ in range(2)]
        for image, indices in enumerate(chosen):
            for mask, own in zip(masks, indices, strict=True):
                mask[image][own] = 1
        return masks

    return sample


def with_same_samples(ours, theirs):
    """Both draw from generators in the same state."""
    for count, part, our_stage, their_stage in (
        (256, 0.5, ours.rpn, theirs.rpn),
        (512, 0.25, ours.roi_heads, theirs.roi_heads),
    ):
        our_stage.sampler = BalancedSampler(count, part, torch.Generator().manual_seed(count))
        their_stage.fg_bg_sampler = as_masks(BalancedSampler(count, part, torch.Generator().manual_seed(count)))


def test_published_counts_and_names():
    """Fails if a layer, a name or the order of weights differs: then weights from the field do not load."""
    with torch.device("meta"):
        ours, frozen = fasterrcnn_resnet50_fpn(), fasterrcnn_resnet50_fpn(frozen_norm=True)
        theirs = torchvisions(weights=None, weights_backbone=None)
    assert count_parameters(ours) == 41_808_406
    assert count_parameters(frozen) == 41_755_286
    shapes = [[(key, value.shape) for key, value in model.state_dict().items()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("frozen", [False, True], ids=["BatchNorm", "frozen"])
def test_detections_equal_torchvisions(frozen):
    """Fails if anything between pixels and detections is another: sizes, anchors, levels, suppression, limits."""
    ours, theirs = (model.eval() for model in pair(frozen))
    with torch.no_grad():
        found, expected = ours(images()), theirs(images())
    for got, wanted in zip(found, expected, strict=True):
        assert len(wanted["labels"]) >= 5, "there is hardly anything to compare"
        assert torch.equal(got["labels"], wanted["labels"])
        torch.testing.assert_close(got["boxes"], wanted["boxes"], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(got["scores"], wanted["scores"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frozen", [False, True], ids=["BatchNorm", "frozen"])
@pytest.mark.parametrize("second", [0, 3], ids=["an image without an object", "objects in both"])
def test_losses_and_gradients_equal_torchvisions(frozen, second):
    """Fails if matching, sampling, targets or the mean of any of the four losses differ."""
    ours, theirs = (model.train() for model in pair(frozen))
    losses = []
    for model in (ours, theirs):
        model.zero_grad()
        with_same_samples(ours, theirs)
        losses.append(model(images(), targets(second)))
        sum(losses[-1].values()).backward()
    assert losses[0].keys() == losses[1].keys()
    for name, value in losses[1].items():
        torch.testing.assert_close(losses[0][name], value, atol=1e-4, rtol=1e-4, msg=name)
        assert value > 1e-3, f"{name} is hardly there"
    theirs_by_name = dict(theirs.named_parameters())
    for name in (
        "backbone.body.layer4.2.conv3.weight",
        "backbone.body.layer1.0.conv1.weight",
        "backbone.fpn.inner_blocks.0.0.weight",
        "rpn.head.conv.0.0.weight",
        "roi_heads.box_head.fc6.bias",
        "roi_heads.box_predictor.bbox_pred.weight",
    ):
        gradient, expected = dict(ours.named_parameters())[name].grad, theirs_by_name[name].grad
        assert expected.abs().max() > 0, name
        assert (gradient - expected).norm() < 1e-3 * expected.norm(), name


def test_all_2000_proposals_equal_torchvisions_as_a_set(monkeypatch):
    """Fails if the full number of proposals goes another way than few; equal scores may change places in theirs."""
    ours, theirs = (model.eval() for model in pair(False))
    for limits in ("before_nms", "after_nms"):
        monkeypatch.setattr(ours.rpn, limits, (2000, 2000))
    for limits in ("_pre_nms_top_n", "_post_nms_top_n"):
        monkeypatch.setattr(theirs.rpn, limits, {"training": 2000, "testing": 2000})
    kept = []
    for model in (ours, theirs):
        hook = model.rpn.register_forward_hook(lambda module, given, made: kept.append(made[0]))
        with torch.no_grad():
            model(images())
        hook.remove()
    for got, wanted in zip(*kept, strict=True):
        assert len(got) == len(wanted) > 1000
        distance = torch.cdist(got, wanted, compute_mode="donot_use_mm_for_euclid_dist")
        assert distance.amin(1).max() < 1e-2
        assert distance.amin(0).max() < 1e-2


def test_eps_of_the_published_weights():
    """Fails if fixed BatchNorm cannot be given the eps of 0 with which torchvision's weights were trained."""
    ours, _ = pair(True)
    ours.eval()
    with torch.no_grad():
        before = ours.backbone(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))[0]
        set_norm_eps(ours, 0.0)
        after = ours.backbone(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))[0]
        set_norm_eps(ours, 1e-5)
    assert not torch.equal(before, after)
    torch.testing.assert_close(before, after, atol=0.05, rtol=0.05)


def test_the_papers_networks_by_hand():
    """Fails if a layer of VGG-16, of the proposals or of the two heads has another width."""
    convolutions = 14_714_688
    dense = 512 * 7 * 7 * 4096 + 4096 + 4096 * 4096 + 4096
    heads = (4096 + 1) * 21 + (4096 + 1) * 84
    proposals = (9 * 512 + 1) * 512 + (512 + 1) * 9 + (512 + 1) * 36
    with torch.device("meta"):
        faster, fast = fasterrcnn_vgg16(), fast_rcnn_vgg16()
        (one_map,) = faster.backbone(torch.zeros(1, 3, 600, 800))
    assert one_map.shape == (1, 512, 37, 50)
    assert count_parameters(fast) == convolutions + dense + heads == 134_690_729
    assert count_parameters(faster) == count_parameters(fast) + proposals == 137_073_622


def test_anything_but_a_network_with_classes_is_refused():
    for build in (fasterrcnn_resnet50_fpn, fasterrcnn_vgg16, fast_rcnn_vgg16):
        with pytest.raises(CourseError, match="counts background"):
            build(1)
    assert isinstance(pair(False)[0], FasterRCNN)
