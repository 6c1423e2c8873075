"""Training and scoring a detector: what the recipes of part 2 share.

A detector brings two functions: `step(model, batch)`, its loss on images and lists of objects, and
`predict(model, images)`, which gives back boxes, scores and labels. The data are in `detector_data.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crashcourse.detection.average_precision import COCO_THRESHOLDS, DetectionScores
from crashcourse.errors import CourseError
from crashcourse.recipes.base import Job, Run
from crashcourse.recipes.detector_data import DetectionBatches, DetectionData, detection_data
from crashcourse.recipes.settings import TrainingSettings
from crashcourse.training import Machine
from crashcourse.training.contracts import Step

Predict = Callable[[nn.Module, Tensor], Sequence[dict[str, Tensor]]]
"""`(model, images (N, 3, S, S) float in [0, 1])` -> for each "boxes" `(K, 4)` xyxy pixels, "scores" and "labels"
`(K,)`, as many as can be right: average precision looks at low scores too."""
SMALL, MEDIUM = 1 / 8, 1 / 4
"""Sides of the squares up to which an object is small, and medium, as parts of the image's side. COCO's 32 and 96
pixels are for photographs of about 640: nearly every object of a scene of 112 pixels is small by them. By these,
about a third of the objects in `scenes` are small and a quarter large, at every size of image."""


@dataclass(frozen=True, kw_only=True)
class DetectorSettings(TrainingSettings):
    """How to train a detector, within the budget that a `Scale` gives: AdamW under one cycle.

    Attributes:
        optimizer, schedule, channels_last: see `TrainingSettings`.
        clip_norm: early boxes are far off, and a loss of squares answers with a large gradient.
        precision: losses on boxes lose too much in bf16, so that a step which asks for it must turn outputs to float
            first.
        flip: mirror images at random.
        watched: of how many test images a map50 is taken after every epoch, the first ones; None for all.

    Raises:
        CourseError: an optimizer or a schedule that is not known.
    """

    clip_norm: float | None = 10.0
    precision: str | None = "fp32"
    flip: bool = True
    watched: int | None = 100


DEFAULT = DetectorSettings()


@torch.no_grad()
def detect(predict: Predict, model: nn.Module, data: DetectionData, *, batch_size: int = 50) -> list[dict[str, Tensor]]:
    """A detector's predictions for all images, on the CPU. Call `model.eval()` first.

    Raises:
        CourseError: `predict` answers for more or fewer images than it was given.
    """
    device = next(model.parameters()).device
    found: list[dict[str, Tensor]] = []
    for part in data.images.split(batch_size):
        answers = list(predict(model, part.to(device).float() / 255))
        if len(answers) != len(part):
            raise CourseError(f"predict() got {len(part)} images and answered for {len(answers)}; each needs a dict.")
        found += [{name: values.cpu() for name, values in answer.items()} for answer in answers]
    return found


def score_detections(
    found: Sequence[dict[str, Tensor]], data: DetectionData, *, whole: bool = True
) -> dict[str, float]:
    """Score detections by COCO's rules: 101 recalls, up to 100 detections for each image and class.

    Args:
        found: for each image "boxes", "scores" and "labels".
        data: the images' objects.
        whole: with "map" too, which takes as long again.

    Returns:
        "map50": mean average precision at IoU 0.5; "map": at 0.50, 0.55, ..., 0.95; "map50_small", "map50_medium",
        "map50_large": map50 of objects up to (S / 8)², up to (S / 4)², and above, in square pixels of S×S images;
        "recall50": how many of all objects are found at IoU 0.5, mean over classes. For VOC also "voc07", by the rule
        of 2007: 11 recalls.
    """
    sides = (SMALL * data.size, MEDIUM * data.size)
    at_half = DetectionScores(len(data.classes), iou_thresholds=(0.5,), sides=sides)
    at_all = DetectionScores(len(data.classes), iou_thresholds=COCO_THRESHOLDS, sides=sides)
    for predicted, target in zip(found, data.targets, strict=True):
        predicted = {name: predicted[name] for name in ("boxes", "scores", "labels")}
        target = {name: target[name] for name in ("boxes", "labels", "ignore") if name in target}
        at_half.add(predicted, target)
        if whole:
            at_all.add(predicted, target)
    half = at_half.coco()
    scores = {"map50": half.mean, **({"map": at_all.coco().mean} if whole else {})}
    scores |= {"map50_small": half.small, "map50_medium": half.medium, "map50_large": half.large}
    scores |= {"recall50": half.recall}
    return {**scores, "voc07": at_half.voc(method="11").mean} if data.name == "voc2007" else scores


def evaluate_detector(
    predict: Predict, model: nn.Module, data: DetectionData, *, batch_size: int = 50
) -> dict[str, float]:
    """Detect in all images, and score what was found: see `score_detections`. Call `model.eval()` first."""
    return score_detections(detect(predict, model, data, batch_size=batch_size), data)


def train_on_scenes(
    model: nn.Module,
    job: Job,
    *,
    step: Step,
    predict: Predict,
    masks: bool = False,
    settings: DetectorSettings = DEFAULT,
) -> Run:
    """Train a detector within the job's budget, on the images of its scale.

    Args:
        model: whatever `step` and `predict` take.
        job: budget, seed, checkpoint.
        step: `step(model, (images, targets)) -> {"loss": scalar, ...}`: images `(N, 3, S, S)` float in [0, 1], targets
            a list of `Objects`, in training mode.
        predict: see `Predict`; in evaluation mode.
        masks: with "masks" among the objects of training and test images.
        settings: how to train; by default AdamW under one cycle, with flips.

    Returns:
        The run. Its history has "test_map50" after each epoch, of the first `settings.watched` test images; its metrics
        are those of `evaluate_detector` on all of them.
    """
    scale, device = job.scale, Machine().resolved().device
    training, test = (detection_data(scale, split, masks=masks) for split in ("train", "test"))
    watched = test.take(settings.watched)

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"test_map50": score_detections(detect(predict, model, watched), watched, whole=False)["map50"]}

    batches = DetectionBatches(training, scale.batch_size, seed=job.seed, flip=settings.flip, device=device)
    history = settings.fit(model, batches, step, job, evaluate=evaluate)
    return Run(model, history, evaluate_detector(predict, model, test), history.seconds)
