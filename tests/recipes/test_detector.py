"""What all detectors share: images with objects, batches that flip, scores by size, and one way to train."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from crashcourse.datasets import scenes
from crashcourse.datasets import voc as voc_module
from crashcourse.detection import DetectionScores
from crashcourse.errors import CourseError
from crashcourse.recipes import Scale, detector_data, recipes, train
from crashcourse.recipes.base import SCALES, Job
from crashcourse.recipes.detector import (
    MEDIUM,
    SMALL,
    DetectorSettings,
    detect,
    evaluate_detector,
    score_detections,
    train_on_scenes,
)
from crashcourse.recipes.detector_data import DetectionBatches, DetectionData, detection_data, flip_some

SCALE = Scale(
    epochs=2, batch_size=4, learning_rate=1e-3, compares=(), stages=(), data="scenes", image_size=48, images=10,
    test_images=6, objects=(1, 3),
)  # fmt: skip


def test_scenes_of_a_scale_are_the_same_every_time_and_apart_in_training_and_test():
    """Fails if a detector sees other scenes than another, if a test scene is trained on, or if masks are not theirs."""
    training, test = (detection_data(SCALE, split, masks=True) for split in ("train", "test"))
    assert (len(training), len(test), training.size) == (10, 6, 48)
    assert detection_data(SCALE, "train", masks=True) is training
    made = scenes(10, seed=detector_data.SEEDS["train"], size=48, objects=(1, 3))
    assert torch.equal(training.images, made.images)
    for target, scene in zip(training.targets, made, strict=True):
        assert torch.equal(target["boxes"], scene.boxes)
        assert torch.equal(target["labels"], scene.labels)
        assert torch.equal(target["masks"], scene.masks)
    assert "masks" not in detection_data(SCALE, "test").targets[0]
    same = (training.images[:, None] == test.images[None]).flatten(2).all(-1)
    assert not same.any()


def test_clear_scenes_have_large_garments_and_another_set_is_other_scenes():
    """Fails if a set's objects or sides do not reach the generator, or if two sets share what is kept in memory."""
    clear, plain = (
        detection_data(replace(SCALE, data=name, objects=None, image_size=112), "train")
        for name in ("clear_scenes", "scenes")
    )
    assert (clear.name, plain.name) == ("clear_scenes", "scenes")
    large, small = (torch.cat([t["boxes"] for t in data.targets]) for data in (clear, plain))
    sides = [(boxes[:, 2:] - boxes[:, :2]).amax(1).median() for boxes in (large, small)]
    assert sides[0] > sides[1]
    assert not torch.equal(clear.images, plain.images)


def test_a_flip_moves_boxes_and_masks_with_their_object():
    """Fails if boxes stay where objects were, if x1 and x2 change places, or if what was given is changed."""
    data = detection_data(SCALE, "train", masks=True)
    targets = list(data.targets[:2])
    before = targets[0]["boxes"].clone()
    images, turned = flip_some(data.images[:2], targets, torch.tensor([True, False]))
    assert torch.equal(images[0].flip(-1), data.images[0].float() / 255)
    assert torch.equal(images[1], data.images[1].float() / 255)
    assert turned[1] is targets[1]
    assert torch.equal(targets[0]["boxes"], before)
    for box, mask in zip(turned[0]["boxes"], turned[0]["masks"], strict=True):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == [float(edge) for edge in edges]
    _, back = flip_some(data.images[:2], turned, torch.tensor([True, False]))
    assert torch.equal(back[0]["boxes"], before)


def test_batches_repeat_differ_by_epoch_and_are_shared_out():
    """Fails if a run cannot be resumed, if every epoch flips the same images, or if processes flip by themselves."""
    data = detection_data(SCALE, "train")
    batches = DetectionBatches(data, 4, seed=3)
    assert len(batches) == 2
    first, again, other = list(batches.epoch(0)), list(batches.epoch(0)), list(batches.epoch(1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    (second,) = batches.epoch(0, start=1)
    assert torch.equal(second[0], first[1][0])
    halves = [next(iter(batches.shard(rank, 2).epoch(0))) for rank in (0, 1)]
    assert torch.equal(torch.cat([half[0] for half in halves]), first[0][0])
    joined = [target["boxes"] for half in halves for target in half[1]]
    assert all(torch.equal(a, b["boxes"]) for a, b in zip(joined, first[0][1], strict=True))
    still = {
        tuple(image.flatten().tolist())
        for batch in DetectionBatches(data, 5, flip=False).epoch(0)
        for image in batch[0]
    }
    assert still == {tuple(image.flatten().tolist()) for image in data.images.float() / 255}


def perfect(data):
    return [{**target, "scores": torch.ones(len(target["labels"]))} for target in data.targets]


def test_scores_by_size():
    """Fails if bands are COCO's pixels, if a size counts the others' objects, or if a lower IoU than 0.5 counts."""
    size, sides = 100, (10.0, 20.0, 60.0)
    objects = torch.tensor([[5.0, 5, 5 + side, 5 + side] for side in sides])
    target = {"boxes": objects, "labels": torch.tensor([0, 0, 0])}
    data = DetectionData(torch.zeros(1, 3, size, size, dtype=torch.uint8), (target,), ("thing",))
    assert sides[0] < SMALL * size < sides[1] < MEDIUM * size < sides[2]
    assert set(score_detections(perfect(data), data).values()) == {1.0}
    without_small = [{"boxes": objects[1:], "labels": torch.tensor([0, 0]), "scores": torch.ones(2)}]
    scores = score_detections(without_small, data)
    assert (scores["map50_small"], scores["map50_medium"], scores["map50_large"]) == (0, 1, 1)
    assert scores["recall50"] == pytest.approx(2 / 3)
    loose = [{**perfect(data)[0], "boxes": objects + torch.tensor([0.0, 0, 4, 0])}]
    scores = score_detections(loose, data)
    assert (scores["map50"], scores["map50_small"]) == (1, 1)
    assert 0.5 < scores["map"] < 0.9
    assert "map" not in score_detections(loose, data, whole=False)


class Known(nn.Module):
    """Knows its images by heart; has a parameter, so that it can be trained and has a device."""

    def __init__(self, data):
        super().__init__()
        self.rows = {tuple(image.flatten().tolist()): row for row, image in enumerate(data.images.float() / 255)}
        self.answers = perfect(data)
        self.weight = nn.Parameter(torch.tensor(1.0))


def look_up(model, images):
    return [model.answers[model.rows[tuple(image.flatten().tolist())]] for image in images]


def test_detections_come_in_the_order_of_the_images():
    """Fails if batches are mixed up, the last is lost, or images are not 0 to 1."""
    data = detection_data(SCALE, "test")
    assert evaluate_detector(look_up, Known(data), data, batch_size=4)["map"] == 1
    with pytest.raises(CourseError, match="got 4 images and answered for 1"):
        detect(lambda model, images: [{}], Known(data), data, batch_size=4)


def test_training_reports_the_watched_images_and_scores_all(monkeypatch):
    """Fails if the recipe's budget does not reach the loop, or the last score is that of a part."""
    seen = []
    test = detection_data(SCALE, "test")
    model = Known(test)

    def step(model, batch):
        images, targets = batch
        seen.append((len(images), len(targets)))
        return {"loss": model.weight**2, "boxes": float(sum(len(t["boxes"]) for t in targets))}

    def only_three(model, images):
        none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}
        found = look_up(model, images)
        return [answer if any(answer is known for known in model.answers[:3]) else none for answer in found]

    run = train_on_scenes(
        model, Job(SCALE, "", 0, progress=False), step=step, predict=only_three, settings=DetectorSettings(watched=3)
    )
    assert seen == [(4, 4)] * 4
    assert list(run.history.epochs[0]) == ["loss", "boxes", "test_map50"]
    assert run.history.last("test_map50") == 1
    assert run.metrics == pytest.approx(evaluate_detector(only_three, model, test), nan_ok=True)
    assert 0 < run.metrics["map50"] < 1
    assert run.model is model
    assert model.weight.item() < 1


VOC_TREE = {
    "annotation": {
        "object": [
            {"name": "dog", "difficult": "0", "bndbox": {"xmin": "1", "ymin": "1", "xmax": "50", "ymax": "20"}},
            {"name": "cat", "difficult": "1", "bndbox": {"xmin": "51", "ymin": "11", "xmax": "100", "ymax": "20"}},
        ]
    }
}


class VocLoader:
    """Stands in for torchvision's loader: three photographs, twice as wide as high."""

    def __init__(self, root, year, image_set):
        assert (root, year) == ("folder", "2007")
        self.grey = {"trainval": 10, "test": 200}[image_set]

    def __len__(self):
        return 3

    def __getitem__(self, row):
        return Image.new("RGB", (100, 50), (self.grey + row,) * 3), VOC_TREE


@pytest.fixture
def voc(monkeypatch):
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets, "VOCDetection", VocLoader)
    monkeypatch.setattr(voc_module, "download", lambda name: {"voc2007": "folder"}[name])
    voc_module.voc2007.cache_clear()
    yield replace(SCALE, data="voc2007", images=None, test_images=2)
    voc_module.voc2007.cache_clear()


def test_voc_has_the_same_form(voc):
    """Fails if boxes keep VOC's counting from 1 or its pixels, or if a difficult object is trained on or counts."""
    training, test = (detection_data(voc, split) for split in ("train", "test"))
    assert (len(training), len(test), training.size, training.name) == (3, 2, 48, "voc2007")
    assert training.images.dtype == torch.uint8
    assert training.images[:, 0, 0, 0].tolist() == [10, 11, 12]
    assert test.images[:, 0, 0, 0].tolist() == [200, 201]
    dog, cat = training.classes.index("dog"), training.classes.index("cat")
    assert training.targets[0]["labels"].tolist() == [dog]
    assert training.targets[0]["boxes"].tolist() == [pytest.approx([0, 0, 24, 19.2])]
    assert test.targets[0]["labels"].tolist() == [dog, cat]
    assert test.targets[0]["ignore"].tolist() == [False, True]
    found = [{**target, "scores": torch.ones(2)} for target in test.targets]
    scores = score_detections(found, test)
    assert scores["map50"] == scores["voc07"] == 1
    assert np.isnan(scores["map50_small"])


def test_settings_of_a_scale_leave_out_what_is_not_set():
    """Fails if the records of classifiers gain fields, or those of detectors lose theirs."""
    plain = Scale(epochs=1, batch_size=2, learning_rate=0.1, compares=("a",)).settings()
    assert list(plain) == [
        "epochs", "batch_size", "learning_rate", "width", "stages", "weight_decay", "data", "augment",
    ]  # fmt: skip
    assert plain["stages"] == [1, 1, 2]
    own = SCALE.settings()
    assert "stages" not in own
    assert (own["image_size"], own["images"], own["test_images"], own["objects"]) == (48, 10, 6, [1, 3])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: detection_data(replace(SCALE, image_size=None), "train"), "not a detector's"),
        (lambda: detection_data(SCALE, "trian"), "Did you mean 'train'"),
        (lambda: detection_data(replace(SCALE, data="subset"), "train"), "set of images for detectors"),
        (lambda: detection_data(replace(SCALE, images=None), "train"), "how many"),
        (lambda: detection_data(replace(SCALE, data="voc2007"), "train", masks=True), "without masks"),
        (lambda: voc_module.voc2007("val"), "split"),
        (lambda: voc_module.voc2007("test", size=0), "at least 1 pixel"),
        (lambda: DetectionBatches(detection_data(SCALE, "train"), 11), "no batch of 11"),
        (lambda: DetectorSettings(optimizer="adamm"), "Did you mean"),
        (lambda: DetectionScores(2, sides=(32.0, 8.0)), "largest small"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(CourseError, match=sentence):
        call()


SETS = ("scenes", "clear_scenes", "voc2007")
DETECTORS = sorted(n for n, recipe in recipes().items() if "gpu" in recipe.scales and recipe.scales["gpu"].data in SETS)


@pytest.mark.parametrize(("name", "scale"), [(n, s) for n in DETECTORS for s in SCALES if s in recipes()[n].scales])
def test_every_detector_trains_at_every_scale(name, scale, monkeypatch):
    """Fails if a recipe's code breaks anywhere before its budget matters: here one epoch on a few images."""
    recipe = recipes()[name]
    budget = replace(recipe.scales[scale], epochs=1, batch_size=2, images=4, test_images=3, width=4)
    monkeypatch.setitem(recipes(), name, replace(recipe, scales={**recipe.scales, scale: budget}))
    monkeypatch.setattr(detector_data, "_voc", lambda split, size: few_of_voc(size))
    for variant in recipe.variants:
        run = train(name, scale=scale, variant=variant, progress=False)
        assert {"loss", "test_map50"} <= set(run.history.epochs[0])
        assert {"map50", "map", "map50_small", "map50_medium", "map50_large"} <= set(run.metrics)
        assert not run.model.training


def few_of_voc(size):
    target = {"boxes": torch.tensor([[8.0, 8.0, 60.0, 40.0]]), "labels": torch.tensor([7])}
    images = torch.randint(256, (4, 3, size, size), dtype=torch.uint8)
    return DetectionData(images, (target,) * 4, voc_module.VOC_CLASSES, "voc2007")
