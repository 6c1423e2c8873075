"""SSD's networks: published sizes, torchvision's with the same weights, the small one, and what is refused."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import ssd300_vgg16 as their_ssd300

from crashcourse.detection import box_iou
from crashcourse.detection.ssd import (
    SSD,
    SmallMaps,
    SsdOutput,
    decode_ssd,
    predict_ssd,
    small_layout,
    small_ssd,
    ssd300_vgg16,
)
from crashcourse.detection.ssd_boxes import (
    SSD300,
    SSD300_COCO,
    DefaultBoxes,
    encode_ssd_targets,
    stack_ssd_targets,
)
from crashcourse.detection.ssd_loss import multibox_loss
from crashcourse.errors import CourseError
from crashcourse.inspection import count_parameters
from tests.contracts import CONTRACTS, ModelCase, overfits_one_batch
from tests.detection.test_boxes import random_boxes


@pytest.fixture(scope="module")
def pair():
    """Ours and torchvision's with the same weights, loaded strictly."""
    torch.manual_seed(1)
    theirs = their_ssd300(weights=None, weights_backbone=None, num_classes=7)
    for layer in theirs.head.classification_head.module_list:
        layer.weight.data /= 2  # else most probabilities are 1, so that the order of detections would be chance
    ours = ssd300_vgg16(7)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def pictures(*sizes):
    """Smooth patches with some noise: they differ from place to place as photographs do."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for height, width in sizes:
        patches = torch.rand(1, 3, 9, 9, generator=generator)
        smooth = nn.functional.interpolate(patches, (height, width), mode="bilinear")[0]
        found.append((smooth + 0.1 * torch.randn(3, height, width, generator=generator)).clamp(0, 1))
    return found


@pytest.mark.parametrize(("classes", "parameters"), [(21, 26_285_486), (91, 35_641_826)])
def test_published_parameters(classes, parameters):
    """Fails if a layer is missing or has another width; counts measured on torchvision's."""
    with torch.device("meta"):
        assert count_parameters(ssd300_vgg16(classes)) == parameters


def test_stage_by_stage_shapes():
    """Fails if a stride, a padding or the rounded-up pool moves: then the maps do not fit the default boxes."""
    with torch.device("meta"):
        network = ssd300_vgg16(21, layout=SSD300)
        images = torch.zeros(2, 3, 300, 300)
        shapes = [tuple(maps.shape[1:]) for maps in network.backbone(images)]
        output = network(images)
    assert shapes == [(512, 38, 38), (1024, 19, 19), (512, 10, 10), (256, 5, 5), (256, 3, 3), (256, 1, 1)]
    assert output.offsets.shape == (2, 8732, 4)
    assert output.logits.shape == (2, 8732, 21)


def test_names_order_and_weights_are_torchvisions(pair):
    """Fails if weights from the field would not load, either way."""
    ours, theirs = pair
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict(), strict=True)


@torch.no_grad()
def test_raw_heads_are_torchvisions(pair):
    """Fails if any layer, the normalization, or the order of the outputs differs."""
    ours, theirs = (model.eval() for model in pair)
    (batch,) = torch.stack(pictures((300, 300))).split(1)
    found = ours(batch)
    features = list(theirs.backbone(theirs.transform(list(batch))[0].tensors).values())
    for got, expected in zip(ours.backbone((batch - ours.mean) / ours.std), features, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    expected = theirs.head(features)
    torch.testing.assert_close(found.offsets, expected["bbox_regression"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.logits, expected["cls_logits"], rtol=1e-5, atol=1e-5)
    assert found.logits.std() > 0.1, "all boxes say the same: nothing is compared"


def test_losses_in_training_are_torchvisions(pair):
    """Fails if matching, encoding, mining or the loss differ on whole images, one of them without an object."""
    ours, theirs = (model.train() for model in pair)
    images = pictures((300, 300), (300, 300))
    boxes = [random_boxes(5, seed=4, side=180), torch.zeros(0, 4)]
    labels = [torch.tensor([1, 2, 3, 6, 2]), torch.zeros(0, dtype=torch.int64)]
    with torch.no_grad():
        given = [{"boxes": own, "labels": names} for own, names in zip(boxes, labels, strict=True)]
        expected = theirs(images, given)
        targets = [encode_ssd_targets(*both, ours.layout, 7) for both in zip(boxes, labels, strict=True)]
        loss = multibox_loss(*ours(torch.stack(images)), stack_ssd_targets(targets))
    assert loss.location.item() == pytest.approx(expected["bbox_regression"].item(), rel=1e-5)
    assert loss.classes.item() == pytest.approx(expected["classification"].item(), rel=1e-5)


@pytest.mark.parametrize("least_score", [0.01, 0.7])
def test_detections_are_torchvisions(pair, least_score):
    """Fails if decoding, clipping, thresholds, suppression, the limits or resizing differ; images of three sizes.

    With 0.01 both stop at 200 detections, with 0.7 the threshold ends the list.
    """
    ours, theirs = (model.eval() for model in pair)
    images = pictures((300, 300), (200, 340), (97, 61))
    theirs.score_thresh = least_score
    with torch.no_grad():
        expected = theirs(images)
    found = predict_ssd(ours, images, least_score=least_score)
    counts = [len(own["scores"]) for own in expected]
    assert counts == [200] * 3 if least_score < 0.1 else 20 < min(counts) < 200, "nothing would be compared"
    assert min(len(own["labels"].unique()) for own in expected) > 3
    for got, wanted in zip(found, expected, strict=True):
        assert torch.equal(got["labels"], wanted["labels"])
        torch.testing.assert_close(got["scores"], wanted["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(got["boxes"], wanted["boxes"], rtol=1e-4, atol=1e-3)


def test_every_parameter_of_the_large_network_learns():
    """Fails if a layer was built and never used, or its gradient vanishes or explodes."""
    torch.manual_seed(0)
    model = ssd300_vgg16(21, layout=SSD300)
    first = torch.tensor(SSD300.counts).cumsum(0) - torch.tensor(SSD300.counts)
    middle = first + torch.tensor(SSD300.counts) // 2  # an object for each map, or its convolutions see no loss
    target = encode_ssd_targets(SSD300.boxes[middle], torch.arange(1, 7), SSD300, 21)
    multibox_loss(*model(torch.stack(pictures((300, 300)))), stack_ssd_targets([target])).total.backward()
    slopes = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert [name for name, slope in slopes.items() if not (slope.isfinite().all() and slope.any())] == []


# ---- prediction by hand


class Saying(nn.Module):
    """A backbone and head that say what they are told: for predictions by hand."""

    def __init__(self, layout, offsets, probabilities):
        super().__init__()
        self.layout, self.defaults = layout, layout.boxes
        self.output = SsdOutput(offsets[None], probabilities.log()[None])

    def forward(self, images):
        return self.output


def test_predictions_by_hand():
    """Fails if background is a detection, if classes suppress each other, or if a box leaves the image."""
    layout = DefaultBoxes(40, (2,), (20,), (16, 24), ((),))
    chances = torch.full((8, 3), 1e-4)
    chances[:, 0] = 1
    chances[0] = torch.tensor([0.2, 0.7, 0.1])  # a 16×16 square around (10, 10), of both classes
    chances[1] = torch.tensor([0.1, 0.6, 0.3])  # √(16 · 24) around the same place: IoU 2/3
    chances[6] = torch.tensor([0.5, 0.004, 0.496])
    offsets = torch.zeros(8, 4)
    offsets[6, 0] = 10  # ten tenths of its width to the right: beyond the image
    (found,) = predict_ssd(Saying(layout, offsets, chances), torch.zeros(1, 3, 80, 20))
    assert found["labels"].tolist() == [1, 2, 2]
    assert found["scores"].tolist() == pytest.approx([0.7, 0.496, 0.3])
    assert found["boxes"][0].tolist() == pytest.approx([1, 4, 9, 36])  # half as wide as 40, twice as high
    assert found["boxes"][1].tolist() == pytest.approx([19, 44, 20, 76])
    (few,) = predict_ssd(Saying(layout, offsets, chances), torch.zeros(1, 3, 40, 40), most=1)
    assert few["labels"].tolist() == [1]
    (none,) = predict_ssd(Saying(layout, offsets, chances), torch.zeros(1, 3, 40, 40), least_score=0.8)
    assert none["boxes"].shape == (0, 4)
    assert predict_ssd(Saying(layout, offsets, chances), []) == []


def test_the_limits_count_what_stays():
    """Fails if `most` is taken before suppression, or more than `per_class` boxes of a class take part."""
    layout = DefaultBoxes(320, (8,), (40,), (30, 32), ((),))  # 64 places, two boxes that overlap at each
    chances = torch.rand(128, 2, generator=torch.Generator().manual_seed(0)) + 0.1
    chances /= chances.sum(1, keepdim=True)
    model = Saying(layout, torch.zeros(128, 4), chances)
    image = torch.zeros(1, 3, 320, 320)
    (everything,) = predict_ssd(model, image)
    assert len(everything["scores"]) == 64
    for most in (1, 5, 40):
        (found,) = predict_ssd(model, image, most=most)
        assert torch.equal(found["scores"], everything["scores"][:most])
    (found,) = predict_ssd(model, image, per_class=10)
    assert len(found["scores"]) <= 10
    assert torch.equal(found["scores"], everything["scores"][: len(found["scores"])])


# ---- the small network


class Flat(nn.Module):
    """A small SSD whose output is one tensor, as the contracts want it."""

    def __init__(self):
        super().__init__()
        self.ssd = small_ssd(3, image=64, width=4)

    def forward(self, images):
        return torch.cat(self.ssd(images), -1)


SMALL = ModelCase("small_ssd", Flat, (2, 3, 64, 64), (2, len(small_layout(64)), 7))


@pytest.mark.parametrize("contract", [c for c in CONTRACTS if c is not overfits_one_batch], ids=lambda c: c.__name__)
def test_contract(contract):
    contract(SMALL)


@pytest.mark.parametrize("image", [64, 96, 110, 112, 128, 200])
def test_maps_and_default_boxes_fit(image):
    """Fails if a size that is not a multiple of 64 gives maps for which there are no default boxes."""
    with torch.device("meta"):
        network = small_ssd(image=image)
        maps = network.backbone(torch.zeros(1, 3, image, image))
        output = network(torch.zeros(1, 3, image, image))
    assert tuple(own.shape[-1] for own in maps) == network.layout.maps
    assert output.offsets.shape[1] == len(network.layout)


def test_the_small_network_learns_its_batch():
    """Fails if the order of outputs and default boxes, a sign or a mask is wrong: four images by heart."""
    torch.manual_seed(0)
    model = small_ssd(3, image=64, width=8)
    images = torch.rand(4, 3, 64, 64)
    boxes = [[[4.0, 4, 20, 20]], [[20.0, 10, 58, 40]], [[10.0, 38, 22, 48]], [[2.0, 2, 60, 26]]]
    goal = stack_ssd_targets(
        [encode_ssd_targets(torch.tensor(b), torch.tensor([1 + i % 2]), model.layout, 3) for i, b in enumerate(boxes)]
    )
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        multibox_loss(*model(images), goal).total.backward()
        optimizer.step()
    for i, result in enumerate(predict_ssd(model, images)):  # batch statistics, as they were learned with
        assert result["labels"][0] == 1 + i % 2
        assert box_iou(result["boxes"][:1], torch.tensor(boxes[i])).item() > 0.8


def test_decoding_says_where_and_what():
    layout = small_layout(64)
    output = SsdOutput(torch.zeros(2, len(layout), 4), torch.zeros(2, len(layout), 4))
    boxes, chances = decode_ssd(output, layout.boxes)
    assert torch.allclose(boxes[1], layout.boxes, atol=1e-4)
    assert bool((chances == 0.25).all())


def network():
    return small_ssd(3, image=64, width=4).eval()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ssd300_vgg16(0), "at least 2"),
        (lambda: ssd300_vgg16(1), "background and one more"),
        (lambda: small_ssd(2.0), "integer"),
        (lambda: small_ssd(True), "integer"),
        (lambda: SSD(SmallMaps(4), SSD300_COCO, 3), "4 maps.*for 6"),
        (lambda: network()(torch.zeros(1, 3, 32, 32)), "\\(N, 3, 64, 64\\).*Resize"),
        (lambda: network()(torch.zeros(1, 1, 64, 64)), "got \\(1, 1, 64, 64\\)"),
        (lambda: network()(torch.zeros(3, 64, 64)), "got \\(3, 64, 64\\)"),
        (lambda: network()(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)), "/ 255"),
        (lambda: predict_ssd(network(), [torch.zeros(3, 15, 64)]), "at least 16"),
        (lambda: predict_ssd(network(), [torch.zeros(1, 64, 64)]), "\\(3, H, W\\)"),
        (lambda: predict_ssd(network(), torch.zeros(3, 64, 64)), "images\\[None\\]"),
        (lambda: predict_ssd(network(), [torch.zeros(3, 64, 64, dtype=torch.uint8)]), "/ 255"),
        (lambda: predict_ssd(network(), ["picture.png"]), "got str"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()
