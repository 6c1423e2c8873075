# ---
# jupyter:
#   crashcourse:
#     title: Mask R-CNN
#     part: detection
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 80
#     needs: [20, 23]
#     about:
#     - detection.fpn
#     - detection.roi_align
#     - detection.masks
#     - detection.mask_rcnn
# ---
# %% [markdown]
# # A box is not a shape
# The detectors so far answer with a class and a box. Who wants to cut an object out, to
# measure it, or to grasp it needs its pixels. In about 80 minutes you will give Faster
# R-CNN a third answer, a mask for each region. One step that did no harm to boxes will
# turn out to spoil masks, and you will measure by how much. At the end all detectors of
# this part meet on one chart.
# %%
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, boxes_on_images, figure, show, show_table

# %% [markdown]
# ## The problem: how much of a box is the object?
# Scenes know every pixel of every object. Here are three, with boxes and with masks.
# %%
from crashcourse.recipes import recipes
from crashcourse.recipes.detector_data import detection_data

budget = recipes()["mask_rcnn_scenes"].scale("laptop")
test = detection_data(budget, "test", masks=True)
some = test.take(3)
boxes, labels, masks = (
    [target[name] for target in some.targets] for name in ("boxes", "labels", "masks")
)
boxes_on_images(
    some.images.repeat(2, 1, 1, 1),
    [*boxes, *boxes],
    [*labels, *labels],
    masks=[*(mask[:0] for mask in masks), *masks],
    columns=3,
    alt="Three scenes: above a box around each garment, below its pixels as well.",
)
# %% [markdown]
# Of all the pixels in a box, which part belongs to the object: in a bag's box, in a
# shoe's, in a dress's? Guess.
# %% tags=["guess"]
parts: dict[str, list[float]] = {name: [] for name in test.classes}
for target in test.targets:
    area = (target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(1)  # (M,)
    part = target["masks"].sum((1, 2)) / area
    for label, value in zip(target["labels"].tolist(), part.tolist(), strict=True):
        parts[test.classes[label]].append(value)
print("the object's part of its box, mean:")
for name, values in parts.items():
    print(f"  {name:8} {sum(values) / len(values):.0%}")


# %% [markdown]
# The rest is floor, wall, or another object.
#
# ## The idea: a small picture for each region
# Faster R-CNN already has a list of regions, and for each of them a small map of
# features. From that it makes a class and a box. **Mask R-CNN** (He et al., 2017) makes
# one thing more of it: a small picture, such as 28×28, in which each pixel says
# "object" or "not". The picture lives *in the frame of the box*. To see it in the
# image, stretch it to the box. A mask of 2×2 in a box of 4×2, from (1, 0) to (5, 2):
# %%
from crashcourse.detection import paste_masks

tiny = torch.tensor([[[1.0, 0], [1, 1]]])  # (1, 2, 2)
frame = torch.tensor([[1.0, 0, 5, 2]])
print(paste_masks(tiny, frame, (3, 6))[0])  # (3, 6)
# %% [markdown]
# Every pixel of the image asks the mask at the place of its own centre. Between the
# mask's centres the values are mixed, and around the mask lies a ring of zeros, so that
# it fades out at its border. Above 0.5 a pixel counts as the object.
#
# How fine must the small picture be? Take the true mask of an object, make it S×S, and
# put it back. What is left is measured with IoU, of pixels in place of boxes.
# %%
from crashcourse.detection import mask_targets


def mask_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of masks (M, H, W) bool, pair by pair: (M,)."""
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2))


def there_and_back(target: dict[str, Tensor], side: int) -> Tensor:
    """True masks as squares of a side, and back in the image: (M, H, W) bool."""
    own = torch.arange(len(target["boxes"]))
    small = mask_targets(target["masks"], target["boxes"], own, side, aligned=True)
    return paste_masks(small, target["boxes"], target["masks"].shape[1:]) > 0.5


for side in (4, 7, 14, 28):
    kept = [mask_iou(there_and_back(t, side), t["masks"]) for t in test.targets[:100]]
    print(f"{side:2}×{side}: mean IoU {torch.cat(kept).mean():.2f}")
# %% [markdown]
# 28×28 is the paper's size. Our objects are 22 to 56 pixels long, so that 14×14 is
# enough for them. The frame is fine. What goes wrong comes earlier, where features are
# taken from a region.
#
# ## What RoIPool does to a box
# RoIPool (lesson 23) was made for classes, and there a few pixels do not matter. A map
# with stride 16 has a cell for every 16×16 pixels. An edge at x = 100 lies at 6.25 in
# the map, a sixteenth of it. RoIPool takes 6, and reads from 6 · 16 = 96 on. At the far
# edge it takes the whole cell. On a photograph:
# %%
from crashcourse.datasets import photos
from crashcourse.figures.boxes import draw_box, draw_picture


def read_by_roi_pool(box: Tensor, stride: int) -> Tensor:
    """The part of the image whose cells RoIPool takes for a box: xyxy pixels."""
    first, last = (box[:2] / stride).round(), (box[2:] / stride).round()
    return torch.cat([first, last + 1]) * stride


photo = next(photo for photo in photos("train") if photo.name == "dogs")
crop = photo.image[:, 100:452, 60:412]  # (3, 352, 352)
dogs = torch.tensor([[69.0, 47, 162, 158], [142, 185, 227, 322]])
fig, panels = figure(1, 2, height=3.6)
for axes, stride in zip(panels, (16, 32), strict=True):
    draw_picture(axes, crop.permute(1, 2, 0))
    for line in range(stride, 352, stride):
        axes.axhline(line, color="white", linewidth=0.4)
        axes.axvline(line, color="white", linewidth=0.4)
    for dog in dogs:
        draw_box(axes, dog.tolist(), "sky")
        draw_box(axes, read_by_roi_pool(dog, stride).tolist(), "vermilion", style="--")
    axes.set_title(f"stride {stride}", size=11)
alt = "Two dogs with boxes; dashed, what RoIPool reads: larger, and shifted."
show(fig, alt=alt)
print(photo.credit, "·", photo.licence)
# %% [markdown]
# Blue is the box, dashed is what RoIPool reads. Then it cuts the dashed box into bins,
# and rounds again: a bin begins at a whole cell, and ends at one.
#
# ### In pixels
# How far off is a bin? Here is a trick that asks the pooling itself: give it a map
# whose *values are coordinates*. Each cell holds the x of its own centre. Whatever
# comes out of a bin is then the place where it looked. RoIPool takes a maximum, so pool
# −x as well: the middle of the largest and the smallest x is the middle of what was
# read.
# %%
from crashcourse.datasets import scenes
from crashcourse.detection import roi_align, roi_pool
from crashcourse.detection.regions import numbered

Pooling = Callable[..., Tensor]


def places_read(pool: Pooling, boxes: Tensor, stride: int, side: int) -> Tensor:
    """Where each of 14×14 bins reads: (K, 2, 14, 14), x and y in pixels."""
    x = torch.arange(stride / 2, side, stride).expand(side // stride, -1)
    maps = torch.stack([x, x.T, -x, -x.T])[None]  # (1, 4, H, W)
    rois = numbered([boxes])  # (K, 5): the number of the image, and the box
    pooled = pool(maps, rois, 14, spatial_scale=1 / stride)  # (K, 4, 14, 14)
    return (pooled[:, :2] - pooled[:, 2:]) / 2


def bin_centres(boxes: Tensor) -> Tensor:
    """Where they should read: the middle of each bin, (K, 2, 14, 14)."""
    along = (torch.arange(14) + 0.5) / 14
    x, y = (
        boxes[:, i, None] + along * (boxes[:, i + 2] - boxes[:, i])[:, None]
        for i in (0, 1)
    )
    return torch.stack(
        [x[:, None].expand(-1, 14, -1), y[:, :, None].expand(-1, -1, 14)], 1
    )


# %% [markdown]
# The objects of 24 scenes of 448×448 pixels (90 to 220 pixels long, as in photographs),
# without those near the border. If a box edge is off by a quarter of a stride on
# average, how far will a bin be off with stride 16? Guess.
# %% tags=["guess"]
look = {"objects": (3, 6), "sides": (0.2, 0.5), "clutter": (0, 0)}
large = scenes(24, seed=24, size=448, split="test", **look)
boxes = torch.cat([scene.boxes for scene in large])
boxes = boxes[((boxes > 48) & (boxes < 400)).all(1)]  # (K, 4)
off, rows = {}, []
for stride in (4, 8, 16, 32):
    gap = places_read(roi_pool, boxes, stride, 448) - bin_centres(boxes)
    off[stride] = gap.norm(dim=1)  # (K, 14, 14)
    rows.append([stride, f"{off[stride].mean():.1f}", f"{off[stride].max():.1f}"])
print("distance between where a bin reads and where it lies:")
show_table(rows, ["stride", "pixels, mean", "pixels, largest"], "RoIPool, 14×14 bins")
# %% [markdown]
# About as far as a stride is long. Rounding to the nearest cell is the smaller part of
# it. The last cell is taken whole, and that moves the bins by half a cell on average,
# in x and in y.
#
# ## RoIAlign: do not round
# The remedy is short: keep 6.25. A bin may begin anywhere. Inside it take a few points,
# and at each point read *between* the cells, by how near the four nearest centres are.
# On a map of 2×2 the centres lie at 0.5 and 1.5:
# %%
corners = torch.tensor([[[1.0, 3], [5, 11]]])  # (1, 2, 2)
upper = 0.75 * 1 + 0.25 * 3  # x = 0.75 is a quarter of the way from 0.5 to 1.5
lower = 0.75 * 5 + 0.25 * 11
print("at (0.75, 0.5):", upper, "  at (0.75, 1.5):", lower)
print("halfway, at (0.75, 1.0):", (upper + lower) / 2)
# %% [markdown]
# **Exercise 1** (10 minutes). Write it for any place of any map.
# %% exercise="detection.sample_between"
# %% [markdown]
# RoIAlign takes the mean of four such samples in each bin. One bin of your own, against
# the package:
# %%
torch.manual_seed(0)
features = torch.randn(3, 8, 8)
x1, y1, x2, y2 = 1.3, 2.2, 4.1, 3.6  # one bin, in cells of the map
points = [
    (x1 + a * (x2 - x1), y1 + b * (y2 - y1)) for a in (0.25, 0.75) for b in (0.25, 0.75)
]
mine = torch.stack([sample_between(features, x, y) for x, y in points]).mean(0)  # (3,)
bin_ = torch.tensor([[x1, y1, x2, y2]])
theirs = roi_align(features[None], [bin_], 1, sampling_ratio=2, aligned=True)
print("the same:", torch.allclose(mine, theirs[0, :, 0, 0], atol=1e-5))
# %% [markdown]
# Where does RoIAlign read, by the same trick?
# %%
from functools import partial

aligned = partial(roi_align, sampling_ratio=2, aligned=True)
gap = places_read(aligned, boxes, 16, 448) - bin_centres(boxes)
claim("RoIPool, stride 16: pixels off", off[16].mean(), at_least=8)
claim("RoIAlign, stride 16: pixels off", gap.norm(dim=1).mean(), at_most=0.01)


# %% [markdown]
# ### In mask IoU
# What does that cost a mask? No network is needed to find out. Suppose the features
# were perfect: each cell knows which part of it is the object. Pool *these* to 14×14,
# put them back into the image, and compare. A third way stands between the two: round
# the box to whole cells as RoIPool does, but then sample as RoIAlign does.
# %%
def on_cells(rois: Tensor, spatial_scale: float) -> Tensor:
    """Regions (K, 5) with their corners rounded to cells of the map."""
    corners = (rois[:, 1:] * spatial_scale).round() / spatial_scale
    return torch.cat([rois[:, :1], corners], 1)


def rounded(maps: Tensor, rois: Tensor, size: int, *, spatial_scale: float) -> Tensor:
    """RoIAlign on rounded boxes."""
    cells = on_cells(rois, spatial_scale)
    return aligned(maps, cells, size, spatial_scale=spatial_scale)


def through(pool: Pooling, masks: Tensor, boxes: Tensor, stride: int) -> Tensor:
    """True masks as cells of a map, pooled, and put back: (M, H, W) bool."""
    cells = F.avg_pool2d(masks[:, None].float(), stride)  # (M, 1, H / s, W / s)
    rois = numbered(list(boxes[:, None]))  # object k in map k
    small = pool(cells, rois, 14, spatial_scale=1 / stride)  # (M, 1, 14, 14)
    return paste_masks(small[:, 0], boxes, masks.shape[1:]) > 0.5


# %%
pools = {"RoIPool": roi_pool, "rounded box, RoIAlign": rounded, "RoIAlign": aligned}
lost: dict[tuple[str, int], float] = {}
for name, pool in pools.items():
    for stride in (8, 16, 32):
        iou = [
            mask_iou(through(pool, scene.masks, scene.boxes, stride), scene.masks)
            for scene in large
        ]
        lost[name, stride] = torch.cat(iou).mean().item()
rows = [
    [name, *(f"{lost[name, stride]:.2f}" for stride in (8, 16, 32))] for name in pools
]
headers = ["pooled by", "stride 8", "stride 16", "stride 32"]
show_table(rows, headers, "Mean IoU of masks that come through the pooling")
# %%
scene = large[3]
fig, panels = figure(1, 4, height=2.2)
drawn = {
    name: through(pool, scene.masks, scene.boxes, 32) for name, pool in pools.items()
}
for axes, (name, masks) in zip(
    panels, {"truth": scene.masks, **drawn}.items(), strict=True
):
    axes.imshow(masks.any(0), cmap="gray")
    axes.contour(
        scene.masks.any(0), levels=[0.5], colors=COLOURS["vermilion"], linewidths=1
    )
    axes.set_axis_off()
    axes.set_title(name if len(name) < 10 else "rounded box", size=11)
alt = (
    "Masks after pooling: RoIPool's are too large and off, RoIAlign's fit the outline."
)
show(fig, alt=alt)
# %%
claim(
    "RoIAlign − RoIPool, stride 16",
    lost["RoIAlign", 16] - lost["RoIPool", 16],
    at_least=0.1,
)
claim(
    "RoIAlign − rounded box, stride 16",
    lost["RoIAlign", 16] - lost["rounded box, RoIAlign", 16],
    at_least=0.03,
)
# %% [markdown]
# Rounding the box alone costs a part, whole cells and maxima the rest; and the coarser
# the map, the more. On COCO, too, RoIAlign wins: with stride 16 it gained 3 points of
# mask AP over RoIPool (30.2 against 26.9, both with maxima), and 5 points at an IoU of
# 0.75; with stride 32 it gained 7.3 (He et al., 2017, tables 2c and 2d). One thing came
# out otherwise. There, bilinear samples in a *rounded* box (RoIWarp) gained next to
# nothing: 27.2. Here they win back most. A trained network can learn the blur of maxima
# away, but not where its box was; our experiment has no network, so it counts both.
#
# *A trap:* where does the centre of a cell lie? Above, cells are means of 16×16 pixels,
# and their centres lie at 8, 24, 40, ... That is `aligned=True`. In a network of 3×3
# convolutions with stride 2 and a border of one, cell i looks at pixel 16 · i. That is
# `aligned=False`, the authors' first code. The wrong one is half a cell off:
# %%
unaligned = partial(roi_align, sampling_ratio=2, aligned=False)
iou = [
    mask_iou(through(unaligned, scene.masks, scene.boxes, 16), scene.masks)
    for scene in large
]
print(f"stride 16, half a cell off: {torch.cat(iou).mean():.2f}")
# %% [markdown]
# ## A pyramid: fine *and* clever
# Deep maps know what is there, and have large cells. Early maps have small cells, and
# know edges. Masks of small objects need both. A **feature pyramid** (FPN, Lin et al.,
# 2016) goes up through the network as usual, C2, C3, C4, C5, with strides 4, 8, 16, 32;
# and then back down. On each level a 1×1 convolution brings C_i to the same number of
# channels, the level above is enlarged twofold, and both are *added*:
#
# $$M_i = \text{conv}_{1×1}(C_i) + \text{enlarge}(M_{i+1}), \qquad
# P_i = \text{conv}_{3×3}(M_i)$$
# %%
fine = torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]])  # (1, 1, 2, 4)
coarse = torch.tensor([[[[10.0, 20]]]])  # (1, 1, 1, 2)
print(fine + F.interpolate(coarse, size=(2, 4), mode="nearest"))
# %% [markdown]
# **Exercise 2** (10 minutes). Write the way down, for any number of levels.
# %% exercise="detection.merge_levels"
# %%
from crashcourse.detection import FeaturePyramid

pyramid = FeaturePyramid((8, 16, 32), 4)
maps = [torch.randn(1, 8, 28, 28), torch.randn(1, 16, 14, 14), torch.randn(1, 32, 7, 7)]
weights = [lateral[0].weight for lateral in pyramid.inner_blocks]
with torch.no_grad():
    merged = merge_levels(maps, weights)
    smoothed = [
        conv(level) for conv, level in zip(pyramid.layer_blocks, merged, strict=True)
    ]
    levels = pyramid(maps)  # P6, half of the last, comes as a fourth
print([tuple(level.shape) for level in levels])
print(
    "yours, smoothed:",
    all(
        torch.allclose(*pair, atol=1e-5) for pair in zip(smoothed, levels, strict=False)
    ),
)
# %% [markdown]
# Proposals are made on every level, each for one size of anchors. And a region takes
# its features from *one* level, by its area:
#
# $$k = \lfloor 4 + \log_2(\sqrt{w h} / 224) \rfloor$$
#
# 224 is the size of ImageNet's images: an object of that size goes where a classifier
# has its last but one stage, C4.
# %%
from crashcourse.detection.fpn import assign_levels

sides = torch.logspace(3, 10, 400, base=2)  # 8 to 1024 pixels
squares = torch.stack([0 * sides, 0 * sides, sides, sides], 1)  # (400, 4)
fig, axes = figure(height=2.6)
for level, colour in zip(
    (2, 3, 4, 5), ("blue", "green", "orange", "vermilion"), strict=True
):
    here = sides[assign_levels(squares, 2, 5) == level]
    axes.plot(
        [here.min(), here.max()], [level, level], linewidth=7, color=COLOURS[colour]
    )
    axes.text(9, level + 0.18, f"P{level}, stride {2**level}", color=COLOURS[colour])
axes.set(
    xscale="log", xlabel="side of the box (pixels)", ylabel="level", ylim=(1.7, 5.7)
)
axes.set_xticks(
    [16, 56, 112, 224, 448, 1024], ["16", "56", "112", "224", "448", "1024"]
)
axes.minorticks_off()
axes.set_yticks([2, 3, 4, 5])
show(fig, alt="Boxes below 112 pixels go to P2, then a level more with each doubling.")
# %% [markdown]
# ## The mask branch
# From 14×14 pooled features: four 3×3 convolutions, a transposed convolution of 2×2
# that doubles the side, and a 1×1 convolution to **one mask for each class**. Nothing
# is flattened: a place stays a place. (With dense layers in its stead the paper lost
# 2.1 points, table 2e.)
#
# **By hand** (8 minutes), for Mask R-CNN as it is built over ResNet-50, pyramid and
# branch:
# %% exercise="mask_rcnn.shapes"
# %% [markdown]
# The branch, from the live network:
# %%
from torch import nn

from crashcourse.detection import maskrcnn_resnet50_fpn
from crashcourse.figures import network_diagram

with torch.device("meta"):  # shapes without numbers
    network = maskrcnn_resnet50_fpn()
heads = network.roi_heads
branch = nn.Sequential(*heads.mask_head, *heads.mask_predictor)
network_diagram(branch, (256, 14, 14), title="The mask branch")
# %% [markdown]
# Ninety-one masks, for a region that is one thing. Which one counts? In training that
# of the true class; later that of the class which the *box head* chose. So the branch
# never has to know what it sees. It answers: *if* this is a dog, which pixels are the
# dog?
#
# Each pixel of that mask is a yes or no of its own: a sigmoid, and binary
# cross-entropy, the mean over all pixels. Regions of background have no mask to learn.
#
# **Exercise 3** (8 minutes). Write the loss of the branch.
# %% exercise="detection.mask_loss"
# %%
logits = torch.zeros(2, 3, 14, 14, requires_grad=True)  # two regions, three classes
true = (torch.rand(2, 14, 14) > 0.5).float()
loss = mask_loss(logits, torch.tensor([2, 1]), true)
(slope,) = torch.autograd.grad(loss, logits)
print(f"knows nothing: {loss.item():.3f}, which is ln 2")
print("masks that learn:", slope.flatten(2).any(-1).int().tolist())
# %% exercise="mask_rcnn.sigmoid"
# %% [markdown]
# ## Five losses at once: the run
# The network of this lesson is lesson 23's small Faster R-CNN, and a branch beside it:
# two 3×3 convolutions over 7×7 features, and masks of 14×14. It has one map with stride
# 8 and no pyramid: a minute is short.
# %%
from crashcourse.detection import small_faster_rcnn, small_mask_rcnn
from crashcourse.inspection import count_parameters

without, with_masks = (
    count_parameters(f()) for f in (small_faster_rcnn, small_mask_rcnn)
)
print(f"Faster R-CNN {without:,} parameters, with masks {with_masks:,}")
# %%
from crashcourse.recipes import train

run = train("mask_rcnn_scenes", progress=False)
model = run.model
# %%
from crashcourse.figures import learning_curves

learning_curves(run.history, ["loss", "loss_mask", "test_map50"])
# %%
for name in ("loss_classifier", "loss_box_reg", "loss_mask"):
    first, last = run.history.curve(name)[0], run.history.curve(name)[-1]
    print(f"{name:15} {approximately(first)} → {approximately(last)}")
claim("box mAP at an IoU of 0.5", run.metrics["map50"], at_least=0.25)
claim("mask mAP at an IoU of 0.5", run.metrics["mask_map50"], at_least=0.22)
measured("recall of objects, at 0.5", run.metrics["recall50"])
measured("box mAP, 0.50 to 0.95 ", run.metrics["map"])
measured("mask mAP, 0.50 to 0.95", run.metrics["mask_map"])
# %% [markdown]
# Masks score about as boxes do. Both need the class to be right first, and the class is
# what a minute is too short for. What does it say of scenes that it has not seen? Boxes
# with a score of at least 0.4:
# %%
pixels = test.images.float() / 255


@torch.no_grad()
def answers(images: Tensor, least: float = 0.4) -> list[dict[str, Tensor]]:
    """Detections with their masks (D, H, W) bool and labels from 0 on."""
    kept = []
    for found in model(images):
        sure = found["scores"] >= least
        one = {name: values[sure] for name, values in found.items()}
        kept.append({**one, "labels": one["labels"] - 1, "masks": one["masks"] > 0.5})
    return kept


found = answers(pixels[:8])
boxes_on_images(
    test.images[:8],
    [one["boxes"] for one in found],
    [one["labels"] for one in found],
    masks=[one["masks"] for one in found],
    classes=test.classes,
    columns=4,
    alt="Eight unseen scenes with the boxes, classes and masks that the network gives.",
)
# %% [markdown]
# ### Four outputs, put together
# Where do they come from? Once through, step by step: proposals, then class, score and
# box; then masks, for the boxes that are *left*. In training the mask branch sees the
# regions that hold an object; here it sees few boxes, and better ones.
# %%
heads = model.roi_heads
with torch.no_grad():
    batch, _ = model.transform(pixels[:1])
    features = model.backbone(batch.tensor)  # [(1, 64, 14, 14)]
    proposals, _ = model.rpn(batch, features)  # [(P, 4)]
    (said,) = heads.detect(features, proposals, batch.sizes)  # boxes, labels, scores
    (small,) = heads.masks(features, [said["boxes"]], [said["labels"]])  # (D, 14, 14)
    whole = paste_masks(small, said["boxes"], batch.sizes[0])  # (D, 112, 112)
print("features ", tuple(features[0].shape))
measured("proposals", len(proposals[0]), digits=2)
measured("left     ", len(said["boxes"]), digits=2)
print("a mask   ", tuple(small.shape[1:]), "→", tuple(whole.shape[1:]))
# %% [markdown]
# ### One region, all its masks
# Give the branch the *true* boxes of a scene, and look at the masks of every class.
# What will the mask for "shoe" look like, on a bag? Guess.
# %% tags=["guess"]
from crashcourse.figures import image_grid

SHOWN = 7
target = test.targets[SHOWN]
with torch.no_grad():
    batch, _ = model.transform(pixels[SHOWN : SHOWN + 1])
    logits = heads.mask_logits(
        model.backbone(batch.tensor), [target["boxes"]]
    )  # (M, 6, 14, 14)
tiles, titles = [], []
for row, (label, box) in enumerate(
    zip(target["labels"].tolist(), target["boxes"].long(), strict=True)
):
    x1, y1, x2, y2 = box.tolist()
    region = pixels[SHOWN, :, y1:y2, x1:x2]
    square = F.interpolate(region[None], size=(56, 56), mode="bilinear")[0]
    chances = F.interpolate(
        logits[row, 1:, None].sigmoid(), size=(56, 56)
    )  # (5, 1, 56, 56)
    tiles += [square, *(chance.expand(3, -1, -1) for chance in chances)]
    titles += [f"a {test.classes[label]}", *test.classes]
print("each region, and its masks for the five classes:")
alt = "Rows: a region, then its mask for each class; the masks of a row are alike."
image_grid(tiles, titles, columns=6, alt=alt)


# %% [markdown]
# A shoe's mask on a bag is a bag. After a minute the five masks of a region are nearly
# the same: the branch has learned what stands in front, whatever it is. The class comes
# from the box head, and says which mask to take. So one mask for all classes might do?
# On COCO it nearly does: 29.7 mask AP against 30.3 with a mask for each class (section
# 4.2).
#
# ### Where it fails
# Again with the true boxes and classes, so that only the masks can be wrong. By class:
# %%
@torch.no_grad()
def masks_in(data, pool: Pooling | None = None) -> list[Tensor]:
    """Masks in the true boxes of each image, (M, S, S) bool."""
    heads.mask_roi_pool.pool = pool or trained_pool
    drawn = []
    for target, image in zip(data.targets, data.images, strict=True):
        batch, _ = model.transform((image.float() / 255)[None])
        features, boxes = model.backbone(batch.tensor), target["boxes"]
        (small,) = heads.masks(features, [boxes], [target["labels"] + 1])
        drawn.append(paste_masks(small, boxes, batch.sizes[0]) > 0.5)
    heads.mask_roi_pool.pool = trained_pool
    return drawn


trained_pool = heads.mask_roi_pool.pool
drawn = masks_in(test)
iou = [mask_iou(mine, t["masks"]) for mine, t in zip(drawn, test.targets, strict=True)]
every, kinds = torch.cat(iou), torch.cat([t["labels"] for t in test.targets])
for label, name in enumerate(test.classes):
    measured(f"mask IoU, {name:8}", every[kinds == label].mean())
filled = []
for target in test.targets:
    whole = torch.zeros_like(target["masks"])  # (M, 112, 112) bool
    for number, (x1, y1, x2, y2) in enumerate(target["boxes"].int().tolist()):
        whole[number, y1:y2, x1:x2] = True
    filled.append(mask_iou(whole, target["masks"]))
claim("network − whole box", (every - torch.cat(filled)).mean(), at_least=0.05)
# %% [markdown]
# A mask that fills the whole box is the least to beat, and not bad: most garments fill
# more than half of theirs. In two passes the branch has gained about a tenth. What does
# it still get wrong?
# %%
order = sorted(
    (value, n, m) for n, own in enumerate(iou) for m, value in enumerate(own.tolist())
)
shown = [order[0], order[1], order[len(order) // 2], order[-1]]
rows = [(n, m) for _, n, m in shown]
images = torch.stack([test.images[n] for n, _ in rows])
boxes_on_images(
    images.repeat(2, 1, 1, 1),
    [test.targets[n]["boxes"][[m]] for n, m in rows] * 2,
    masks=[drawn[n][[m]] for n, m in rows]
    + [test.targets[n]["masks"][[m]] for n, m in rows],
    titles=["worst", "next", "middle", "best", *["truth"] * 4],
    columns=4,
    alt="Four objects: above the masks drawn, two of them bad; below the true ones.",
)


# %% [markdown]
# ### The trained network on rounded boxes
# Last, the experiment from above on the *learned* features. The same network, the same
# weights, the same boxes; only the regions of the mask branch are rounded to cells of 8
# pixels. How much will that cost? Guess.
# %% tags=["guess"]
def trained_rounded(
    maps: Tensor, rois: Tensor, size: tuple[int, int], *, spatial_scale: float
) -> Tensor:
    """The pooling that the network was trained with, on rounded boxes."""
    return trained_pool(
        maps, on_cells(rois, spatial_scale), size, spatial_scale=spatial_scale
    )


print("mean mask IoU in true boxes:")
moved = masks_in(test, trained_rounded)
worse = torch.cat(
    [mask_iou(mine, t["masks"]) for mine, t in zip(moved, test.targets, strict=True)]
)
claim("not rounded", every.mean(), at_least=0.6)
claim("not rounded − rounded", (every - worse).mean(), at_least=0.015)
# %% [markdown]
# It drew what it saw, in the frame that it was told, and the two did not fit. A network
# that *trains* with RoIPool can learn to live with that a little. So the fair
# comparison trains both; this record does, on the harder scenes, with small garments
# and clutter:
# %%
from crashcourse.recipes import load_record, show_record

show_record("mask_rcnn_scenes")
# %% [markdown]
# With each seed RoIAlign is ahead. Masks have an mAP of
# {record:mask_rcnn_scenes.study.roi_align.mask_map50:.1%} at IoU 0.5 against
# {record:mask_rcnn_scenes.study.roi_pool.mask_map50:.1%}. The stricter the IoU, the
# larger the gap: averaged from 0.50 to 0.95 it is
# {record:mask_rcnn_scenes.study.roi_align.mask_map:.1%} against
# {record:mask_rcnn_scenes.study.roi_pool.mask_map:.1%}. Boxes gain as well.
#
# ## All detectors on one chart
# YOLO, SSD, Faster R-CNN, Mask R-CNN: each in its small form, on the same scenes, for
# as many epochs. Milliseconds are for one image on one core, with decoding and
# suppression; those of Mask R-CNN include the masks, which the others do not give.
# %%
from crashcourse.figures import trade_off

names = {
    "yolo": "YOLO",
    "ssd": "SSD",
    "faster_rcnn": "Faster R-CNN",
    "mask_rcnn": "Mask R-CNN",
}
record = load_record("detectors_scenes", "study")
fields = ("milliseconds", "map50", "parameters")
points = []
for key, name in names.items():
    spent, score, size = (record.field(f"{key}.{field}") for field in fields)
    points.append((name, spent, 100 * score, size))
rows = [
    [name, size, f"{spent:.1f}", f"{score:.1f}"] for name, spent, score, size in points
]
headers = ["detector", "parameters", "milliseconds an image", "mAP at 0.5 (%)"]
show_table(rows, headers, "The small detectors on 300 unseen clear scenes")
# %%
labels = ("milliseconds for an image, one core", "mAP at IoU 0.5 (%)")
alt = "YOLO is fast and low; the other three are slower, high, and near each other."
trade_off(points, *labels, title="Area: parameters", log=False, alt=alt)
# %% [markdown]
# Seeds: {record:detectors_scenes.study.seeds}. So read large differences only. From
# YOLO to SSD an image takes nearly three times as long, and much more is found. Each
# further step takes longer again, one and a half times and twice; for boxes alone it
# buys little here. What Mask R-CNN takes its time for are the masks.
#
# Read such a chart with care. It says what *these* small networks do after a few
# epochs. Which detector is best depends on the size of the objects, the time for
# training, and the machine: on a GPU the many small steps of the two-stage detectors
# wait for each other.
#
# At full size, with weights that their makers publish. AP is COCO's, from 0.50 to 0.95.
# Parameters of the first three are counted here, from the live networks:
# %%
from crashcourse.detection import fasterrcnn_resnet50_fpn, ssd300_vgg16

published = {  # box AP, mask AP: torchvision's documentation of its weights
    "SSD300, VGG-16": (lambda: ssd300_vgg16(91), "25.1", ""),
    "Faster R-CNN, ResNet-50-FPN": (
        lambda: fasterrcnn_resnet50_fpn(frozen_norm=True),
        "37.0",
        "",
    ),
    "Mask R-CNN, ResNet-50-FPN": (
        lambda: maskrcnn_resnet50_fpn(frozen_norm=True),
        "37.9",
        "34.6",
    ),
}
rows = []
for name, (build, box_ap, mask_ap) in published.items():
    with torch.device("meta"):
        size = count_parameters(build())
    rows.append([name, f"{size / 1e6:.1f}", box_ap, mask_ap])
rows += [["YOLOv5s (v5.0)", "7.3", "36.7", ""], ["YOLOv5x (v5.0)", "87.7", "50.4", ""]]
headers = ["detector", "parameters (M)", "box AP", "mask AP"]
show_table(rows, headers, "COCO, as published by torchvision and by YOLOv5's README")
# %% [markdown]
# With the mask branch boxes gain 0.9 points, for 2.6 million parameters more: masks
# teach the backbone something that boxes do not. It was so in the paper, too: 37.3
# without the branch, 38.2 with it (over ResNet-101-FPN, table 3). YOLOv5 is four years
# younger, and comes with another training; so the table does not say that one stage is
# better than two. It does say that it need not be worse.
#
# ### When the pictures are medical
# Charts like this one come from consumer detection: any camera, any scene, 80 classes,
# thirty pictures a second. Imaging in a clinic is another problem:
#
# - **The protocol is known.** Position, scale and contrast hardly vary. An object's
#   size in millimetres is known before the first picture: few anchors do, perhaps one
#   level.
# - **There are few classes**, often one, and few pictures. A small network with strong
#   augmentation may do as well as a large one. Measure it.
# - **Accuracy comes first.** A reader waits ten seconds gladly, and a missed finding is
#   worse than three false ones. Two stages, overlapping tiles and means over several
#   networks are affordable; the threshold is set for recall.
# - **Outlines are measured**, so that masks and their borders count: half a pixel is a
#   systematic error in every volume.
#
# ## Full scale
# Three times as wide, 20,000 scenes of 224×224 pixels with up to twelve objects. With a
# GPU this cell runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("mask_rcnn_scenes")
# %% [markdown]
# ## What changed since
# Mask R-CNN's branch turned out to be a plug: with 17 channels for 17 joints in place
# of classes it finds poses (section 5 of the paper). Cascade R-CNN (Cai and
# Vasconcelos, 2018) repeats the second stage with rising demands on IoU. PointRend
# (Kirillov et al., 2020) refines masks where they are unsure, at the border.
# Mask2Former (Cheng et al., 2022) drops boxes altogether and lets each query attend to
# its own mask. Segment Anything (Kirillov et al., 2023) takes a point or a box as input
# and gives masks without classes, and is how many data sets are labelled today.
# RoIAlign is in all libraries, and its half pixel is still set wrongly now and then.
#
# *References:* K. He, G. Gkioxari, P. Dollár, R. Girshick, "Mask R-CNN", 2017, arXiv
# 1703.06870. T.-Y. Lin et al., "Feature pyramid networks for object detection", 2016,
# arXiv 1612.03144. R. Girshick, "Fast R-CNN", 2015, arXiv 1504.08083. S. Ren et al.,
# "Faster R-CNN", 2015, arXiv 1506.01497. J. Dai, K. He, J. Sun, "Instance-aware
# semantic segmentation via multi-task network cascades" (RoIWarp), 2015, arXiv
# 1512.04412. Z. Cai, N. Vasconcelos, "Cascade R-CNN", 2018, arXiv 1712.00726. A.
# Kirillov et al., "PointRend", 2020, arXiv 1912.08193. B. Cheng et al., "Mask2Former",
# 2022, arXiv 2112.01527. A. Kirillov et al., "Segment anything", 2023, arXiv
# 2304.02643.
