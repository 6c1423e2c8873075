# ---
# jupyter:
#   crashcourse:
#     title: Boxes, suppression, average precision
#     part: detection
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 90
#     needs: [10]
#     about:
#       - detection.boxes
#       - detection.nms
#       - detection.average_precision
# ---
# %% [markdown]
# # One label is not enough
# The networks of part 1 give a picture one name. In about 90 minutes you will build
# what every detector of this part stands on: boxes, how two of them are compared, how
# many answers become one, and how a whole detector gets a score. No network is trained
# here. That comes with lesson 21, on a laptop and on a GPU.
# %%
import torch
from torch import Tensor

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: what, where, how many
# A classifier would call this photograph "dog", and be right. How many dogs? Where? The
# two boxes on the right were drawn by hand.
# %%
from crashcourse.datasets import photos
from crashcourse.figures import boxes_on_images

photo = next(photo for photo in photos("train") if photo.name == "dogs")
crop = photo.image[:, 100:460, 60:420]  # (3, 360, 360)
dogs = torch.tensor([[69.0, 47, 162, 158], [142, 185, 227, 322]])  # (2, 4)
boxes_on_images(
    [crop, crop],
    [dogs[:0], dogs],
    titles=["what: a dog", "where and how many: two"],
    alt="A photograph of two dogs: without boxes, and with a box around each.",
)
print(photo.credit, "·", photo.licence)
# %% [markdown]
# Four tasks ask for more and more. Here they are on one of the course's *scenes*:
# garments and clutter pasted on a photograph. Only garments count, and every box and
# every pixel of them is known exactly.
# %%
from crashcourse.datasets import scenes

shown = scenes(9, seed=22, split="test", objects=(3, 6))
scene = shown[8]
largest = (scene.boxes[:, 2:] - scene.boxes[:, :2]).prod(1).argmax()[None]  # (1,)
none, masks = scene.masks[:0], scene.masks  # (0, 128, 128), (M, 128, 128)
boxes_on_images(
    scene.image[None].expand(4, -1, -1, -1),
    [scene.boxes[:0], scene.boxes[largest], scene.boxes, scene.boxes],
    [scene.labels[:0], scene.labels[largest], scene.labels, scene.labels],
    masks=[none, none, none, masks],
    classes=shown.classes,
    titles=["classification", "localisation", "detection", "instance segmentation"],
    columns=2,
    alt="A scene four times: without boxes, with one, with all, and with masks too.",
)
# %% [markdown]
# In tensors, for a picture with M objects:
# %%
from crashcourse.figures import show_table

m = len(scene)
rows = [
    ["classification", "one label", "()"],
    ["localisation", "one label, one box", "(), (4,)"],
    ["detection", "labels, boxes", f"({m},), ({m}, 4)"],
    ["instance segmentation", "labels, boxes, masks", f"... and ({m}, 128, 128)"],
]
show_table(rows, ["task", "output", "shapes here"], "Four tasks by what they output")
# %% [markdown]
# The first two have an output of fixed size, so a dense layer can make it. Detection
# has not: M is different in every picture, and the objects have no order. That is
# what makes it another problem. A detector answers *too often*, with a score for each
# answer, and something must clear up afterwards.
#
# ## Boxes
# A box is four numbers, and three formats are common: two corners (`xyxy`), upper left
# corner and size (`xywh`), centre and size (`cxcywh`). Nothing in the numbers says
# which. Read the dogs' corners as corner and size, and see:
# %%
from crashcourse.detection import convert_boxes

print("xyxy:  ", dogs[0].tolist())
print("xywh:  ", convert_boxes(dogs, "xyxy", "xywh")[0].tolist())
print("cxcywh:", convert_boxes(dogs, "xyxy", "cxcywh")[0].tolist())
misread = convert_boxes(dogs, "xywh", "xyxy")  # they are not xywh
titles = ["read as xyxy", "read as xywh"]
alt = "The dogs twice: boxes that fit, and boxes that are far too wide and too high."
boxes_on_images([crop, crop], [dogs, misread], titles=titles, alt=alt)
# %% [markdown]
# No error, no warning: just wrong boxes. In this course a box is `xyxy` unless a name
# says otherwise.
#
# Coordinates are continuous: x runs right, y runs **down**, and the pixel in row r,
# column c covers the square from (c, r) to (c + 1, r + 1). A mask of 4×6 pixels:
# %%
mask = torch.zeros(4, 6, dtype=torch.bool)
mask[1:3, 1:4] = True
print(mask.int())
ys, xs = mask.nonzero(as_tuple=True)
x1, y1 = xs.min().item(), ys.min().item()
x2, y2 = xs.max().item() + 1, ys.max().item() + 1  # the far edge of the last pixel
print("box", (x1, y1, x2, y2), "width", x2 - x1, "height", y2 - y1)
# %% [markdown]
# Three pixels wide, and x2 − x1 = 3. Older code (VOC's development kit, the first
# R-CNNs) stores the *numbers* of the first and last pixel, 1 and 3, and must write
# x2 − x1 + 1. Mix the two conventions, and every width is off by a pixel.
#
# Networks like centres and sizes: both can be predicted on their own. Pictures and IoU
# want corners.
#
# **Exercise 1** (4 minutes). Write the way from one to the other.
# %% exercise="detection.to_corners"
# %%
centres = convert_boxes(dogs, "xyxy", "cxcywh")
print("there and back:", torch.allclose(to_corners(centres), dogs))
# %% [markdown]
# ## When is a box right?
# No predicted box equals the true one to the last digit. We need a number that says
# how well two boxes agree. It should not depend on the unit: a pixel is nothing for a
# large object, and much for a small one. **Intersection over union** (IoU) divides
# what both boxes cover by what they cover together:
#
# $$\text{IoU}(a, b) = \frac{|a \cap b|}{|a \cup b|} =
# \frac{|a \cap b|}{|a| + |b| - |a \cap b|}$$
#
# |a| is the area of a. In a live notebook, drag the boxes. Before you do: a box of
# 10×10 and its copy, moved by 2 to the right. And moved by 2 to the right *and* down?
# %%
from crashcourse.figures import iou_explorer

iou_explorer((2, 3, 12, 13), (6, 8, 16, 18))
# %% tags=["guess"]
from crashcourse.detection import box_iou

box = torch.tensor([[2.0, 3, 12, 13]])
moved = box + torch.tensor([[2.0, 0, 2, 0], [2, 2, 2, 2], [5, 5, 5, 5]])
print("moved right, diagonally, and by half its size:")
print(box_iou(box, moved))
# %% [markdown]
# It falls fast: moved by a fifth both ways, less than half is left. 0.5 is the
# usual limit for "found", and it is less strict than it sounds.
#
# **Exercise 2** (10 minutes). Every box of a against every box of b, without a loop.
# The intersection is a box as well: the *larger* of the upper left corners, the
# *smaller* of the lower right ones. Think of boxes that do not meet.
# %% exercise="detection.pairwise_iou"
# %%
table = pairwise_iou(scene.boxes, scene.boxes)  # (M, M)
print(table.round(decimals=2))
# %% [markdown]
# Ones on the diagonal, symmetric, zeros where objects do not meet. The small trousers
# lie *inside* the large ones, and yet their IoU is small: the union is large. It should
# agree with torchvision's, and the package has the same function, with its checks:
# %%
import torchvision.ops

from crashcourse.figures import show_source

same = torchvision.ops.box_iou(scene.boxes, scene.boxes)
print("equal to torchvision's:", torch.allclose(table, same, atol=1e-6))
show_source(box_iou)
# %% [markdown]
# ### The same slip costs a small object more
# Move boxes of four sizes to the right, pixel by pixel. At how many pixels does a box
# of 8×8 fall below 0.5? And one of 64×64?
# %% tags=["guess"]
from crashcourse.figures import COLOURS, figure, show

slips = torch.linspace(0, 24, 97)  # pixels
fig, axes = figure(height=3.0)
for side, colour in zip((8, 16, 32, 64), COLOURS.values(), strict=False):
    true = torch.tensor([[0.0, 0, side, side]])
    slipped = true + slips[:, None] * torch.tensor([1.0, 0, 1, 0])  # (97, 4)
    iou = pairwise_iou(true, slipped)[0]  # (97,)
    axes.plot(slips, iou, color=colour, label=f"{side}×{side}")
axes.axhline(0.5, color=COLOURS["black"], linewidth=1, linestyle=":")
axes.set(xlabel="moved by (pixels)", ylabel="IoU", ylim=(0, 1))
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
print("IoU against the slip:")
show(fig, alt="IoU falls with the slip: at 3 pixels below 0.5 for 8×8, late for 64×64.")
# %% [markdown]
# A third of the width is what it takes. That is 2.7 pixels for the small box, 21 for
# the large. Small objects are hard for detectors, and this is one of the reasons.
#
# ### No slope where boxes do not meet
# As a loss, 1 − IoU has a flaw: apart, it is 1 wherever the boxes are, and its gradient
# is 0. *Generalized IoU* (Rezatofighi et al., 2019) takes off the part of the smallest
# box around both that neither covers. With C the area of that box:
#
# $$\text{GIoU} = \text{IoU} - \frac{C - |a \cup b|}{C}$$
# %%
from crashcourse.detection import generalized_box_iou

rows = []
for gap in (-2, 1, 10, 50):
    other = (box + torch.tensor([10.0 + gap, 0, 10 + gap, 0])).requires_grad_()
    row = [gap]
    for measure in (box_iou, generalized_box_iou):
        value = measure(box, other)  # (1, 1)
        (slope,) = torch.autograd.grad(value.sum(), other)  # (1, 4)
        row += [f"{value.item():.2f}", f"{slope[0, 0].item():.3f}"]
    rows.append(row)
headers = ["gap (pixels)", "IoU", "slope by x1", "GIoU", "slope by x1"]
show_table(rows, headers, "Two boxes of 10×10, side by side (gap −2: they overlap)")
# %% [markdown]
# Apart, IoU has no slope. GIoU has one everywhere, below 0: with x1 further left,
# nearer to the other box, it would be larger. A network can learn from that.
#
# ## Too many answers
# Detectors look at many places and sizes, and answer at every one that looks good.
# For one shoe they say "shoe" ten times. We have no detector yet, so this lesson
# **makes its answers up**: each true box several times, shaken, the surer the better
# it fits; some objects are missed, some answers name another class, some lie where
# nothing is. It is chance with a fixed seed, and nothing is learned. Real detectors
# err in these ways too, as lesson 21 will show. How often, nobody can learn here:
# numbers from here on are about *these* answers and no others.
# %%
from crashcourse.detection.simulated import simulated_detections
from crashcourse.datasets import Scene


def detected(scene: Scene, seed: int, **options) -> dict[str, Tensor]:
    """Made-up boxes (D, 4), scores (D,) and labels (D,) for a scene."""
    size = scene.image.shape[1:]
    made = {"num_classes": 5, "size": size, "seed": seed, **options}
    return simulated_detections(scene.boxes, scene.labels, **made)


# %%
crowd = shown[2]
found = detected(crowd, seed=98, answers=5, missed=0.0, false_alarms=2)
many = [found["boxes"], crowd.boxes]
titles = [f"{len(found['boxes'])} answers", f"{len(crowd)} objects"]
both = torch.stack([crowd.image] * 2)
alt = "A scene twice: many boxes in heaps, and one box for each object."
boxes_on_images(both, many, [found["labels"], crowd.labels], titles=titles, alt=alt)
# %% [markdown]
# Colours are classes: two bags in pink, trousers in blue, two tops in vermilion. (The
# mauve stripe is clutter. `answers=5` is the most that an object gets; the number is
# drawn.) The answers lie in heaps, and each heap should become one box. Why not keep
# the best score alone? There are several objects. Why not all above a score? A heap has
# many high ones. The idea: **a box that overlaps a better one is the same object**.
#
# ### Step by step
# Three boxes in a row, each overlapping the next:
# %%
chain = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
chain_scores = torch.tensor([0.9, 0.8, 0.7])
print(pairwise_iou(chain, chain).round(decimals=2))
# %% [markdown]
# With a threshold of 0.3: keep the first, the best. The second has an IoU of 0.43 with
# it, and goes. The third overlaps the second by 0.43 as well. Does it go? The second is
# not there any more, and of the first it covers only 0.11: it **stays**. That is
# *non-maximum suppression* (NMS): sort by score; keep the best, drop what overlaps it
# by *more* than the threshold, and go on with what is left.
#
# **Exercise 3** (10 minutes). Write the loop.
# %% exercise="detection.suppress"
# %%
overlap = pairwise_iou(chain, chain)
print("threshold 0.3:", suppress(overlap, chain_scores, 0.3))
print("threshold 0.5:", suppress(overlap, chain_scores, 0.5))
print("middle best:  ", suppress(overlap, torch.tensor([0.7, 0.9, 0.8]), 0.3))
# %% [markdown]
# On the scene: vermilion is kept (thick: just now), yellow and dashed is dropped by
# it, blue is still open.
# %%
from crashcourse.figures import nms_steps

nms_steps(crowd.image, found["boxes"], found["scores"], iou_threshold=0.5)
# %% [markdown]
# Eighteen boxes became six. Four of them are good, and two lie where nothing is: they
# overlap no better box, so they stay. And look at the first step again. A grey top lies
# on a green bag. The best box, the top's, drops its copies *and every box of the bag*.
#
# ### The threshold
# Too high, and copies stay. Too low, and neighbours go. In a live notebook, move the
# slider (mouse, or Tab and the arrow keys). At which threshold is the bag back? What
# comes back with it?
# %%
from crashcourse.figures import nms_explorer

nms_explorer(crowd.image, found["boxes"], found["scores"])
# %% tags=["guess"]
from crashcourse.detection import found_objects, nms


def after_nms(found: dict[str, Tensor], threshold: float) -> dict[str, Tensor]:
    """The detections that suppression leaves."""
    kept = nms(found["boxes"], found["scores"], threshold)
    return {name: values[kept] for name, values in found.items()}


def hits(found: dict[str, Tensor], scene: Scene) -> int:
    """How many objects have a box of their class with an IoU of at least 0.5."""
    truth = {"boxes": scene.boxes, "labels": scene.labels}
    return int(found_objects(found, truth).sum())


print("what stays, by threshold:")
for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
    left = after_nms(found, threshold)
    print(f"{threshold}: {len(left['boxes']):2} boxes, {hits(left, crowd)} objects")
# %% [markdown]
# The fifth object comes at 0.6, and copies of others come with it. No threshold is
# right for all heaps. Now for 60 scenes. How many boxes stay, and how many objects
# still have one? Guess what the two curves look like.
# %% tags=["guess"]
many_scenes = scenes(60, seed=21, split="test")
answers = [detected(scene, seed=place) for place, scene in enumerate(many_scenes)]
thresholds, boxes_left, objects_left = [step / 20 for step in range(21)], [], []
for threshold in thresholds:
    left = [after_nms(found, threshold) for found in answers]
    boxes_left.append(sum(len(one["boxes"]) for one in left))
    objects_left.append(sum(map(hits, left, many_scenes)))
objects = sum(map(len, many_scenes))
fig, panels = figure(1, 2, height=2.9)
panels[0].plot(thresholds, boxes_left, "o-", markersize=4)
panels[1].plot(thresholds, objects_left, "o-", markersize=4, color=COLOURS["green"])
panels[0].set(xlabel="threshold", ylabel="boxes that stay", ylim=(0, None))
panels[1].set(xlabel="threshold", ylabel="objects found")
panels[1].set_ylim(0.75 * objects, 1.02 * objects)
for axes in panels:
    axes.axhline(objects, color=COLOURS["black"], linestyle=":")
print("boxes and objects (dotted: all objects that are there):")
alt = "Boxes: slow, from 0.5 on steep. Objects: rising to 0.3, then flat, below all."
show(fig, alt=alt)
# %% [markdown]
# Left: slow up to about 0.5 (from 290 to 480 boxes), then steep: the copies come back.
# Why does even the slow part lie above the dotted line? Four boxes in each scene lie
# where nothing is, 240 in all, and NMS cannot know. Right: with a low threshold,
# neighbours go. And no threshold finds what the detector missed. 0.45 to 0.7 is usual,
# the higher the more crowded the pictures. Now follow the rule for two neighbours:
# %% exercise="boxes.what_threshold"
# %% [markdown]
# ### The reference, and the same fast
# The package has your loop, on boxes instead of a matrix:
# %%
from crashcourse.detection import greedy_nms

show_source(greedy_nms)
# %% [markdown]
# With 10,000 boxes the loop takes thousands of steps. `nms` does the same with 256
# boxes a step: among them the pairs that overlap are settled, then all that is left is
# compared with the survivors at once. Against the loop, and against torchvision's
# compiled operator:
# %%
import time

generator = torch.Generator().manual_seed(0)
corner = torch.rand(3000, 2, generator=generator) * 1000
size = 1 + 99 * torch.rand(3000, 2, generator=generator)
heap = torch.cat([corner, corner + size], 1)  # (3000, 4)
heap_scores = torch.rand(3000, generator=generator)
results = {}
for name, run in {
    "the loop": greedy_nms,
    "256 at a time": nms,
    "torchvision": torchvision.ops.nms,
}.items():
    start = time.perf_counter()
    results[name] = run(heap, heap_scores, 0.5)
    measured(name, 1000 * (time.perf_counter() - start), "ms")
print("all equal:", all(torch.equal(results["the loop"], r) for r in results.values()))
# %% [markdown]
# ### The bag under the top
# One thing is missing. Here are the *true* boxes of the top and of the bag below it.
# Both are really there, and a perfect detector would name both.
# %%
pair, pair_labels = crowd.boxes[[4, 1]], crowd.labels[[4, 1]]  # (2, 4), (2,)
pair_scores = torch.tensor([0.9, 0.8])
pair_iou = pairwise_iou(pair, pair)
print([shown.classes[label] for label in pair_labels.tolist()])
print(f"IoU: {pair_iou[0, 1]:.2f}")
print("kept:", suppress(pair_iou, pair_scores, 0.5))
# %% [markdown]
# The bag is lost, although nobody would take a bag for a top. So suppression goes
# **class by class**: boxes of different classes leave each other alone.
#
# **Exercise 4** (5 minutes). You have `suppress`; use it.
# %% exercise="detection.suppress_by_class"
# %%
print("by class:", suppress_by_class(pair_iou, pair_scores, pair_labels, 0.5))
iou = pairwise_iou(found["boxes"], found["boxes"])  # (18, 18)
kept = suppress_by_class(iou, found["scores"], found["labels"], 0.5)
left = {name: values[kept] for name, values in found.items()}
print(f"on the scene: {len(kept)} boxes, {hits(left, crowd)} objects")
# %% [markdown]
# At 0.5 all five objects are found now. The other two boxes are those on nothing.
#
# Libraries play a trick: they move each class to a place of its own, far from the
# others, and suppress once. The shift must be larger than any coordinate:
# %%
from crashcourse.detection import batched_nms

boxes, scores, labels = found["boxes"], found["scores"], found["labels"]
shift = labels[:, None] * (boxes.max() + 1)  # (D, 1)
trick = nms(boxes + shift, scores, 0.5)
print("the same:", torch.equal(trick, batched_nms(boxes, scores, labels, 0.5)))
# %% [markdown]
# ### Softly
# Classes do not help two neighbours of *one* class, as in the question above.
# *Soft-NMS* (Bodla et al., 2017) does not drop the second box. It multiplies its score
# by a weight that depends on the overlap o. t is the threshold; the larger σ, the more
# overlap is forgiven:
#
# $$\text{hard: } 0 \text{ if } o > t \qquad \text{linear: } 1 - o \text{ if } o > t
# \qquad \text{Gaussian: } e^{-o^2 / \sigma}$$
# %%
overlaps = torch.linspace(0, 1, 201)
weights = {
    "hard, t = 0.5": (overlaps <= 0.5).float(),
    "linear, t = 0.3": torch.where(overlaps > 0.3, 1 - overlaps, 1.0),
    "Gaussian, σ = 0.5": torch.exp(-(overlaps**2) / 0.5),
}
fig, axes = figure(height=2.7)
for (name, weight), colour in zip(weights.items(), COLOURS.values(), strict=False):
    axes.plot(overlaps, weight, color=colour, label=name)
axes.set(xlabel="IoU with a better box", ylabel="weight of the score")
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
show(fig, alt="Weights by IoU: hard falls at once, linear jumps, Gaussian is smooth.")
# %% [markdown]
# `soft_nms` takes the Gaussian with σ = 0.5, unless you say otherwise:
# %%
from crashcourse.detection import soft_nms

close = torch.tensor([[0.0, 0, 40, 100], [10, 0, 50, 100], [1, 1, 41, 101]])
sure = torch.tensor([0.95, 0.9, 0.85])  # two people, and the first once more
print("hard:", nms(close, sure, 0.5).tolist())
kept, lowered = soft_nms(close, sure)
print("soft:", kept.tolist(), "scores", [f"{score:.2f}" for score in lowered])
# %% [markdown]
# Hard suppression finds one person. The soft one keeps both in front and puts the copy
# far behind. The price: hardly anything is dropped any more, so the list is longer. In
# the paper it gained 1.3 points (R-FCN) and 1.1 points (Faster R-CNN) of COCO's AP,
# without any training.
#
# ## How good is a detector?
# For a classifier we counted right answers. Here?
# %% exercise="boxes.why_not_accuracy"
# %% [markdown]
# So there are two questions. **Precision**: of what it says, how much is right?
# **Recall**: of what is there, how much does it find? Say little, and precision is
# high; say much, and recall is. Where you cut the scores decides. So walk down the
# list, best score first, and look at both after every answer.
#
# An answer is *right* if its IoU with an object of its class is at least 0.5 and
# nobody better has that object already. **Each object is found once**: a second answer
# on it is wrong. That is why NMS matters for the score. Five answers, four objects:
# %%
from crashcourse.detection import precision_recall

right = [True, False, True, True, False]  # best score first
precision, recall = precision_recall(right, objects=4)
words = ["right" if one else "wrong" for one in right]
values = [[f"{p:.2f}", f"{r:.2f}"] for p, r in zip(precision, recall, strict=True)]
rows = [[n, words[n - 1], *values[n - 1]] for n in range(1, 6)]
show_table(rows, ["answer", "", "precision", "recall"], "Down the list")
# %%
from crashcourse.figures import precision_recall_curve

precision_recall_curve(right, 4)
# %% [markdown]
# Precision is a saw-tooth: each wrong answer pulls it down, each right one up. A dip
# is nobody's wish: whoever takes the list to recall 0.5 may as well go on to 0.75 with
# a *better* precision. So each place counts with the best precision there or later: the
# blue steps. **Average precision** (AP) is the area below them: 0.25 · 1 + 0.5 · 0.75.
# Nothing is earned beyond the last recall: what was missed counts.
#
# **Exercise 5** (8 minutes). Each right answer moves recall on by 1 / objects.
# %% exercise="detection.area_under_curve"
# %%
print("the list above:", area_under_curve(torch.tensor(right), 4))
# %% [markdown]
# ### Three rules for one area
# VOC 2007 took the mean of 11 points (black in the figure), at recall 0, 0.1, ..., 1.
# VOC 2010 and later take the exact area ("all points"). COCO takes 101 points. For the
# list above:
# %%
from crashcourse.detection import average_precision

names = {"11": "VOC 2007", "all": "VOC 2010", "101": "COCO"}
for method, name in names.items():
    value = average_precision(precision, recall, method=method)
    print(f"{name}: {value:.4f}")
# %% [markdown]
# They are three different numbers: a table of results says which one it holds. **mAP**
# is the mean over classes.
#
# COCO differs in more. It also takes the mean over ten IoU thresholds, 0.50, 0.55, ...,
# 0.95, so boxes that fit better score more. And it scores small (up to 32² pixels),
# medium (up to 96²) and large objects apart. It reads at most 100 answers for a
# picture. (Both have objects that nobody has to find, "difficult" in VOC, "crowd" in
# COCO: they count neither way.)
#
# **By hand** (8 minutes), everything once more:
# %% exercise="boxes.by_hand"
# %% [markdown]
# ## A whole data set
# `DetectionScores` collects images. (Tests hold it to COCO's own code, to 1e-6.) The
# made-up answers for 60 scenes, once as they are and once after NMS. What will AP at an
# IoU of 0.5 be, with and without?
# %% tags=["guess"]
from crashcourse.detection import DetectionScores


def scored(answers: list[dict[str, Tensor]], threshold: float) -> DetectionScores:
    scores = DetectionScores(len(many_scenes.classes))
    for found, scene in zip(answers, many_scenes, strict=True):
        boxes, sure, labels = (found[name] for name in ("boxes", "scores", "labels"))
        kept = batched_nms(boxes, sure, labels, threshold)
        left = {name: values[kept] for name, values in found.items()}
        scores.add(left, {"boxes": scene.boxes, "labels": scene.labels})
    return scores


print("made-up answers for 60 scenes:")
without, suppressed = scored(answers, 1.0), scored(answers, 0.5)  # above 1: nothing
claim("mAP at 0.5 without NMS", without.voc().per_threshold[0.5], at_most=0.5)
claim("mAP at 0.5 with NMS", suppressed.voc().per_threshold[0.5], at_least=0.7)
# %% [markdown]
# The same answers, and the score about doubles, because every copy counts as wrong. By
# COCO's rules, with the mean over ten thresholds, over all and apart. (At 0.50 alone,
# its 101 points give a little less than the exact area above.)
# %%
coco = suppressed.coco()
measured("mAP, ten thresholds", coco.mean)
measured("  at 0.50 alone    ", coco.per_threshold[0.5])
measured("  at 0.75 alone    ", coco.per_threshold[0.75])
for name, value in zip(many_scenes.classes, coco.per_class, strict=True):
    measured(f"  {name:17}", value)
measured("  small objects    ", coco.small)
measured("  medium objects   ", coco.medium)
print("  large objects    ", coco.large, "(there are none)")
# %% [markdown]
# ### Why COCO looks at ten thresholds
# Two made-up detectors. One shakes its boxes by 5 % of their size, the other by 15 %;
# otherwise they are alike. Which threshold tells them apart?
# %% tags=["guess"]
fig, axes = figure(height=3.0)
by_threshold = {}
for jitter, colour in ((0.05, "blue"), (0.15, "vermilion")):
    shaken = [detected(scene, n, jitter=jitter) for n, scene in enumerate(many_scenes)]
    by_threshold[jitter] = scored(shaken, 0.5).coco().per_threshold
    line = list(by_threshold[jitter].values())
    axes.plot(list(by_threshold[jitter]), line, "o-", color=COLOURS[colour])
    axes.text(0.5, line[0] + 0.03, f"shaken by {jitter:.0%}", color=COLOURS[colour])
axes.set(xlabel="IoU that counts as found", ylabel="mAP", ylim=(0, 1))
print("mAP by threshold:")
show(
    fig, alt="Two falling lines: 0.15 apart at 0.5, 0.58 at 0.75, both near 0 at 0.95."
)
# %%
difference = {t: by_threshold[0.05][t] - by_threshold[0.15][t] for t in (0.5, 0.75)}
claim("mAP, difference at 0.5", difference[0.5], at_most=0.3)
claim("mAP, difference at 0.75", difference[0.75], at_least=0.4)
# %% [markdown]
# At 0.5 the sloppy one is not far behind. At 0.75 it finds little. A mean over
# thresholds sees the difference; a robot that grasps does, too.
#
# ### What is still wrong
# Look at mistakes, not only at scores. After NMS, and above a score of 0.3 (what an
# application would show), give every answer a name. It is the rule from above, with a
# word for each way to fail. Answers come best score first.
# %%
KINDS = ["on nothing", "second box", "badly placed", "right", "wrong class", "missed"]


def verdicts(found: dict[str, Tensor], scene: Scene) -> tuple[list[str], Tensor]:
    """A word for each answer and for each missed object, and their boxes."""
    overlap = box_iou(found["boxes"], scene.boxes)  # (D, M)
    same = found["labels"][:, None] == scene.labels
    words, taken = [], set()
    for near, own in zip(overlap, overlap * same, strict=True):  # (M,) each
        best = own.argmax().item()
        if own[best] >= 0.5:
            words.append("second box" if best in taken else "right")
            taken.add(best)
        elif near.max() >= 0.5:
            words.append("wrong class")
        else:
            words.append("badly placed" if near.max() >= 0.1 else "on nothing")
    missed = [number for number in range(len(scene)) if number not in taken]
    words += ["missed"] * len(missed)
    return words, torch.cat([found["boxes"], scene.boxes[missed]])


# %% [markdown]
# How often each, in 60 scenes? Which mistake will be the most frequent?
# %% tags=["guess"]
named = []
for found, scene in zip(answers, many_scenes, strict=True):
    kept = batched_nms(found["boxes"], found["scores"], found["labels"], 0.5)
    kept = kept[found["scores"][kept] > 0.3]
    named.append(verdicts({key: found[key][kept] for key in found}, scene))
counts = [sum(words.count(kind) for words, _ in named) for kind in KINDS]
fig, axes = figure(height=2.4)
bars = axes.barh(KINDS, counts, color=COLOURS["sky"])
axes.bar_label(bars, padding=4)
axes.invert_yaxis()
axes.set(xlabel="answers, or objects that are missed", xlim=(0, 1.15 * max(counts)))
print("60 scenes, by verdict:")
show(fig, alt="Bars, by far the longest for right answers, and five kinds of mistakes.")
# %% [markdown]
# Boxes on nothing are the most frequent mistake (69), just before the wrong class (63).
# And yet most of the 240 on nothing are gone: their scores were below 0.3. That is the
# other half of clearing up.
#
# And where? The four scenes with the most mistakes, with their right boxes, too. A
# missed object is drawn where it is.
# %%
mistakes = [sum(word != "right" for word in words) for words, _ in named]
worst = torch.tensor(mistakes).argsort(descending=True, stable=True)[:4].tolist()
boxes_on_images(
    many_scenes.images[worst],
    [named[place][1] for place in worst],
    [torch.tensor([KINDS.index(word) for word in named[place][0]]) for place in worst],
    classes=KINDS,
    columns=2,
    alt="The four scenes with most mistakes; each box bears the name of its verdict.",
)
# %% [markdown]
# AP adds all of them up to one number. Tools that take it apart again say which to work
# on (TIDE: Bolya et al., 2020). They ask what AP would be if one kind of mistake went
# away.
#
# ## Full scale
# Nothing was trained here, so there is nothing to scale. Lesson 21 trains a detector:
# its laptop run takes a minute, and its GPU cell runs larger scenes.
#
# ## What changed since
# NMS has outlived most of what it was written for, but it is a hand-made rule at the
# end of a learned network. DETR (Carion et al., 2020) trains a network to say each
# object once, by matching answers and objects one to one, and needs none; YOLOv10 (Wang
# et al., 2024) does it for YOLO. COCO's AP is still how detectors are compared.
#
# *References:* M. Everingham et al., "The PASCAL Visual Object Classes challenge", IJCV
# 2010. T.-Y. Lin et al., "Microsoft COCO", 2014, arXiv 1405.0312. P. Felzenszwalb et
# al., "Object detection with discriminatively trained part-based models", 2010. N.
# Bodla et al., "Soft-NMS", 2017, arXiv 1704.04503. H. Rezatofighi et al., "Generalized
# intersection over union", 2019, arXiv 1902.09630. D. Bolya et al., "TIDE: a general
# toolbox for identifying object detection errors", 2020, arXiv 2008.08115. N. Carion et
# al., "End-to-end object detection with transformers", 2020, arXiv 2005.12872. A. Wang
# et al., "YOLOv10: real-time end-to-end object detection", 2024, arXiv 2405.14458.
