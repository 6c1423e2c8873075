# ---
# jupyter:
#   crashcourse:
#     title: SSD
#     part: detection
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 70
#     needs: [20, 21]
#     about: [detection.ssd]
# ---
# %% [markdown]
# # One question, asked on maps of many sizes
# YOLO cuts the image into 7×7 cells and asks each cell once. What is smaller than a
# cell is hard to see there, and two centres in one cell cannot both be said. In about
# 70 minutes you will ask the same question at thousands of places and sizes, decide
# who has to answer it, keep "nothing here" from drowning everything else, and measure
# whether that finds more small objects.
# %%
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, show, show_table

# %% [markdown]
# ## The problem: a cell is large
# Scenes of 112×112 pixels, as in lesson 21. An object counts as *small* here if it
# covers less than 14×14 pixels: less than one of YOLO's cells, which are 16 wide. Three
# scenes with YOLO's cells. Look for small garments, and for two centres in one cell.
# %%
from crashcourse.datasets import scenes
from crashcourse.figures.boxes import draw_box, draw_picture

held_out = scenes(200, seed=2, size=112, split="test")
fig, panels = figure(1, 3, height=2.4)
for axes, number in zip(panels.flat, (1, 5, 8), strict=True):
    draw_picture(axes, held_out[number].image.permute(1, 2, 0))
    axes.hlines(range(0, 113, 16), 0, 112, color="white", linewidth=0.6)
    axes.vlines(range(0, 113, 16), 0, 112, color="white", linewidth=0.6)
    for box in held_out[number].boxes.tolist():
        draw_box(axes, box, "yellow")
show(fig, alt="Three scenes under a 7×7 grid. Some garments are smaller than a cell.")
# %%
from crashcourse.detection import Grid, box_area, encode_targets

sizes = torch.cat([box_area(scene.boxes) for scene in held_out]).sqrt()  # pixels
learned = [int(encode_targets(s.boxes, s.labels, Grid(7, 2, 5), (112, 112)).has_object.sum()) for s in held_out]
print("objects in 200 scenes:", len(sizes))
print("with a cell of their own:", sum(learned))
for least, most in ((0, 14), (14, 28), (28, 112)):
    share = ((sizes > least) & (sizes <= most)).float().mean()
    print(f"sides of {least} to {most} pixels: {share:.0%} of all")
# %% [markdown]
# A third of all garments are smaller than a cell. The grid must place each of them by
# one pair of numbers, from a map that has been halved four times. SSD (Liu et al.,
# 2015) goes back to the maps *before*: every network for images makes maps of many
# sizes on its way down. A fine map has many places and sees little around each. A
# coarse one sees far. Small objects for the fine maps, large ones for the coarse.
#
# ## The idea: default boxes
# At every place of every map lie a few boxes of fixed shapes, the *default boxes*.
# The network says two things of each: which class is in it, or none, and how far the
# object's box is from it. Begin with a map of 2×2 places on a 40×40 image: the places
# are 20 pixels apart, half a step from the border.
# %%
along = (torch.arange(2) + 0.5) * 20
places = [(x, y) for y in along.tolist() for x in along.tolist()]  # row by row
print("centres (x, y):", places)
# %% [markdown]
# The shapes come from one number for each map, its size $s$, and from *aspect ratios*
# $r$: a box of ratio $r$ is $s\sqrt{r}$ wide and $s/\sqrt{r}$ high. Its area is $s^2$
# whatever $r$. For $r = 1$ there is a second square, of side $\sqrt{s\,s'}$, where $s'$
# is the next map's size.
# %%
s, s_next = 16.0, 25.0
for name, width, height in (
    ("square", s, s),
    ("second square", (s * s_next) ** 0.5, (s * s_next) ** 0.5),
    ("2:1", s * 2**0.5, s / 2**0.5),
    ("1:2", s / 2**0.5, s * 2**0.5),
):
    print(f"{name:14} {width:5.1f} × {height:4.1f}, area {width * height:.0f}")
# %% [markdown]
# **Write it** for one map: all places, and at each place all shapes.
# %% exercise="detection.default_boxes"
# %% [markdown]
# The small SSD of this lesson has four maps: 28×28, 14×14, 7×7 and 4×4 places. Your
# function makes its boxes. Here they are on a scene. Dots are places; the boxes of one
# place are drawn whole.
# %%
from crashcourse.detection.ssd import small_layout

layout = small_layout(112)
sizes_of_maps = layout.sizes
made = [
    default_boxes(side, step, sizes_of_maps[k], sizes_of_maps[k + 1], (2,))
    for k, (side, step) in enumerate(zip(layout.maps, layout.steps, strict=True))
]
print("boxes of each map:", [len(boxes) for boxes in made])  # (P_k, 4), cxcywh
# %%
from crashcourse.detection import convert_boxes

fig, panels = figure(1, 4, height=2.2)
ink = ("vermilion", "yellow", "sky", "purple")
for k, axes in enumerate(panels.flat):
    draw_picture(axes, held_out[5].image.permute(1, 2, 0))
    x, y = made[k][::4, 0], made[k][::4, 1]
    axes.plot(x, y, ".", color="white", markersize=2 + k)
    middle = 4 * (layout.maps[k] // 2 * layout.maps[k] + layout.maps[k] // 2)
    own = convert_boxes(made[k][middle : middle + 4], "cxcywh", "xyxy")
    for box, colour in zip(own.tolist(), ink, strict=True):
        draw_box(axes, box, colour)
    title = f"{layout.maps[k]}×{layout.maps[k]}, s = {layout.sizes[k]:g}"
    axes.set(xlim=(0, 112), ylim=(112, 0))
    axes.set_title(title, size=11)
show(fig, alt="Default boxes of four maps: finer maps have more places, smaller boxes.")
# %% [markdown]
# The large network, SSD300, has six maps. The paper's equation 4 spreads the sizes
# evenly, from 20 to 90 % of the image; the authors' code rounds that to whole per cent
# and gives the finest map 10 %.
#
# **Count its boxes** before you look.
# %% exercise="ssd.maps"
# %%
from crashcourse.detection.ssd_boxes import SSD300, SSD300_COCO

for name, form in {"paper": SSD300, "torchvision": SSD300_COCO}.items():
    print(f"{name}: {len(form.boxes)} boxes, s = {form.sizes[:-1]}")
same = [
    torch.allclose(default_boxes(*row), convert_boxes(part, "xyxy", "cxcywh"), atol=1e-3)
    for *row, part in zip(
        *(SSD300.maps, SSD300.steps, SSD300.sizes[:-1], SSD300.sizes[1:]),
        *(SSD300.ratios, SSD300.boxes.split(SSD300.counts)),
        strict=True,
    )
]
print("your function makes the same six maps:", same)
# %% [markdown]
# torchvision has the smaller sizes that the authors take for COCO, where objects are
# smaller than in VOC.
#
# ## Who has to learn what
# An object is drawn by hand, a default box is not. Which default boxes should say
# "shoe"? Those that overlap the shoe. IoU, from lesson 20, for two objects and four
# default boxes:
# %%
from crashcourse.detection import box_iou

objects = torch.tensor([[1.0, 0, 11, 10], [36.0, 0, 46, 10]])
defaults = torch.tensor([[0.0, 0, 10, 10], [2.0, 0, 12, 10], [30.0, 0, 40, 10], [60.0, 60, 70, 70]])
iou = box_iou(objects, defaults)  # (2, 4)
print([[round(value, 2) for value in row] for row in iou.tolist()])
# %% [markdown]
# The first object overlaps two default boxes well: both learn it. That is the first
# rule: **IoU above 0.5**. The second object overlaps one default box with 0.25 and the
# others not at all. By the first rule it would be taught as background. Hence the
# second rule: **every object has the default box that fits it best**, however badly.
# %% exercise="ssd.why_the_best"
# %% [markdown]
# **Write the matching.** The IoU is given.
# %% exercise="detection.match_objects"
# %%
print("your matching:", match_objects(iou, 0.5).tolist())
scene = held_out[5]
matched = match_objects(box_iou(scene.boxes, layout.boxes), 0.5)  # (4180,)
taught = int((matched >= 0).sum())
print(f"{len(scene)} objects, {taught} of {len(matched)} default boxes learn one")
# %%
fig, panels = figure(1, 4, height=2.2)
parts = zip(layout.boxes.split(layout.counts), matched.split(layout.counts), strict=True)
for k, (axes, (boxes, owner)) in enumerate(zip(panels.flat, parts, strict=True)):
    draw_picture(axes, scene.image.permute(1, 2, 0))
    for box in scene.boxes.tolist():
        draw_box(axes, box, "white", style="--", width=1)
    for box, number in zip(boxes.tolist(), owner.tolist(), strict=True):
        if number >= 0:
            draw_box(axes, box, list(COLOURS)[number % 6], width=1)
    axes.set(xlim=(0, 112), ylim=(112, 0))
    axes.set_title(f"{layout.maps[k]}×{layout.maps[k]}", size=11)
alt = "Small garments are matched on the fine map, larger ones on coarser maps."
show(fig, alt=alt)
# %% [markdown]
# Each colour is an object, the dashed white boxes are the truth. Who is small is
# learned on the left, who is large on the right; nobody had to say so. Over all 200
# scenes:
# %%
from crashcourse.detection.ssd_boxes import match_defaults

counts, best = [], []
for scene in held_out:
    owner = match_defaults(layout.boxes, scene.boxes)
    counts += [int((owner == number).sum()) for number in range(len(scene))]
    best += box_iou(scene.boxes, layout.boxes).amax(1).tolist()
counts, best = torch.tensor(counts), torch.tensor(best)
rows = []
for name, least, most in (("small", 0, 14), ("medium", 14, 28), ("large", 28, 112)):
    here = (sizes > least) & (sizes <= most)
    second = f"{(best[here] <= 0.5).float().mean():.0%}"
    rows.append([name, int(here.sum()), f"{counts[here].float().mean():.1f}", second])
headers = ["objects", "number", "default boxes for each", "only by the second rule"]
show_table(rows, headers, "Who learns the objects of 200 scenes")
share = 1 - counts.sum().item() / (len(held_out) * len(layout))
print(f"default boxes that see only background: {share:.2%}")
# %% [markdown]
# ## Where exactly: offsets
# A default box is near its object, not on it. The network says the difference
# (equation 2): how far the centre is, *in widths and heights of the default box*, and
# the logarithm of the ratio of sizes. Both mean the same at every size.
# %%
from crashcourse.detection.ssd_boxes import decode_offsets, encode_offsets

default = torch.tensor([[10.0, 10.0, 30.0, 50.0]])  # centre (20, 30), 20 × 40
box = torch.tensor([[14.0, 14.0, 54.0, 54.0]])  # centre (34, 34), 40 × 40
plain = encode_offsets(box, default, variances=(1, 1, 1, 1))[0]
print("by hand: ", [14 / 20, 4 / 40, round(torch.tensor(2.0).log().item(), 3), 0.0])
print("package: ", [round(value, 3) for value in plain.tolist()])
back = decode_offsets(plain[None], default, variances=(1, 1, 1, 1))
print("and back:", back[0].round().tolist())
# %% [markdown]
# The authors' code divides offsets by *variances*: 0.1 for the centre, 0.2 for the
# size. The paper does not mention them. What are they for? Look at the offsets of all
# matched default boxes of the 200 scenes:
# %%
offsets = []
for scene in held_out:
    owner = match_defaults(layout.boxes, scene.boxes)
    here = owner >= 0
    pair = scene.boxes[owner[here]], layout.boxes[here]
    offsets.append(encode_offsets(*pair, variances=(1, 1, 1, 1)))
spread = torch.cat(offsets).std(0)
for name, plain, variance in zip("xywh", spread, (0.1, 0.1, 0.2, 0.2), strict=True):
    print(f"{name}: standard deviation {plain:.2f}, divided {plain / variance:.1f}")
# %% [markdown]
# Divided, all four numbers are about as large as 1, which suits a network: its outputs
# start small and its loss weighs them alike. ("Variance" is a misnomer: they act as
# standard deviations.)
#
# ## The loss, and what must not drown
# Each default box has class scores, background among them, so its class loss is a
# cross-entropy, $L_{conf}$ (equation 3). Those that learn an object also have a
# location loss, smooth L1 on the four offsets, $L_{loc}$ (equation 2). With $N$ matched
# default boxes in the batch:
#
# $$L = \frac{1}{N}\,(L_{conf} + L_{loc}) \qquad \text{(equation 1, α = 1)}$$
#
# There is a catch. In the table above you saw that nearly all default boxes see only
# background.
# %% exercise="ssd.why_mining"
# %% [markdown]
# SSD keeps only the *hard negatives*: in each image those with the highest loss, three
# for each matched box. Six default boxes, the first of which learns an object:
# %%
losses = torch.tensor([[5.0, 1.0, 4.0, 2.0, 6.0, 3.0]])
positive = torch.tensor([[True, False, False, False, False, False]])
order = losses.masked_fill(positive, -torch.inf).argsort(1, descending=True)
print("hardest first:", order.tolist(), "→ numbers", order[0, :3].tolist(), "count")
# %% [markdown]
# **Write the choice** as a mask, for a batch.
# %% exercise="detection.hardest_negatives"
# %% [markdown]
# Your mask, and the loss by hand, against the package's:
# %%
from crashcourse.detection.ssd_boxes import SsdTarget
from crashcourse.detection.ssd_loss import multibox_loss

draw = torch.Generator().manual_seed(0)
logits = torch.randn(2, 8, 3, generator=draw)  # (N, P, C): two images, 8 default boxes
said = torch.randn(2, 8, 4, generator=draw)
labels = torch.tensor([[0, 2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0, 0]])
goal = SsdTarget(labels, torch.zeros(2, 8, 4))
# %%
cross_entropy = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
positive = labels > 0  # (2, 8)
counted = positive | hardest_negatives(cross_entropy, positive, 3)
by_hand = cross_entropy[counted].sum() / positive.sum()
location = F.smooth_l1_loss(said[positive], 0 * said[positive], reduction="sum")
loss = multibox_loss(said, logits, goal)
print("classes: ", torch.allclose(by_hand, loss.classes))
print("location:", torch.allclose(location / positive.sum(), loss.location))
# %% [markdown]
# ## The reference: SSD300
# The backbone is VGG-16 up to its fourth stage. Its two dense layers become
# convolutions, and eight more convolutions shrink the map to a single place. Here is
# what yields the six maps, live:
# %%
from crashcourse.detection.ssd import VggMaps, ssd300_vgg16
from crashcourse.figures import network_diagram, show_source

show_source(VggMaps.forward)
# %%
from collections import OrderedDict

with torch.device("meta"):  # shapes without numbers
    maps = VggMaps()
names = ("to fc7", "conv8", "conv9", "conv10", "conv11")
blocks = OrderedDict({"to conv4_3": maps.features})
blocks |= dict(zip(names, maps.extra, strict=True))
network_diagram(nn.Sequential(blocks), (3, 300, 300), by="child", title="The six maps of SSD300")
# %% [markdown]
# Two details. Values of conv4_3 are much larger than those of later maps, so each place
# is scaled to length 1, then by a learned number for each channel that begins at 20.
# And the first dense layer, 7×7 in VGG, becomes a 3×3 convolution with *dilation* 6:
# nine weights spread over 13×13 places.
#
# The heads are one 3×3 convolution for each map and kind:
# %%
with torch.device("meta"):
    ssd300 = ssd300_vgg16(21, layout=SSD300)
heads = ssd300.head
rows = [
    [f"{side}×{side}", shapes, score.in_channels, score.out_channels, box.out_channels]
    for side, shapes, score, box in zip(
        *(SSD300.maps, SSD300.per_place, heads.classification_head.module_list),
        heads.regression_head.module_list,
        strict=True,
    )
]
headers = ["map", "boxes a place", "channels in", "class scores", "offsets"]
show_table(rows, headers, "The heads of SSD300 for 21 classes")
# %%
from crashcourse.inspection import count_parameters

for classes, what in ((21, "VOC: 20 and background"), (91, "COCO in torchvision")):
    with torch.device("meta"):
        size = count_parameters(ssd300_vgg16(classes))
    print(f"{size:,} parameters for {classes} classes ({what})")
# %% [markdown]
# Is it right? The same network in torchvision, with the same weights (fresh ones:
# nothing is downloaded), on a photograph:
# %%
from torchvision.models.detection import ssd300_vgg16 as their_ssd300

from crashcourse.datasets import photos

theirs = their_ssd300(weights=None, weights_backbone=None, num_classes=21).eval()
ours = ssd300_vgg16(21).eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
picture = photos("test")[0].image[None].float() / 255
small_picture = F.interpolate(picture, (300, 300), mode="bilinear")
with torch.no_grad():
    output = ours(small_picture)  # offsets (1, 8732, 4), logits (1, 8732, 21)
    inside, _ = theirs.transform(list(small_picture))
    expected = theirs.head(list(theirs.backbone(inside.tensors).values()))
for got, name in ((output.offsets, "bbox_regression"), (output.logits, "cls_logits")):
    close = torch.allclose(got, expected[name], rtol=1e-5, atol=1e-5)
    print(f"{name} {tuple(got.shape)}: equal to 1e-5: {close}")
# %% [markdown]
# ## The run: garments in scenes
# The small SSD: ten 3×3 convolutions with BatchNorm, maps of 28, 14, 7 and 4 places,
# 4,180 default boxes. Its cost is about that of lesson 21's small YOLO:
# %%
from crashcourse.detection import small_yolo
from crashcourse.detection.ssd import small_ssd
from crashcourse.inspection import count_macs

for name, network in (("small SSD", small_ssd()), ("small YOLO", small_yolo())):
    size, macs = count_parameters(network), count_macs(network, (3, 112, 112)) / 1e6
    print(f"{name}: {size:,} parameters, {macs:.0f} million MACs")
# %% [markdown]
# It learns from 2,000 scenes, five times each. What mean average precision at IoU 0.5
# do you expect? An untrained network has 0.
# %%
from crashcourse.recipes import train

run = train("ssd_scenes", progress=False)
# %% tags=["guess"]
from crashcourse.figures import learning_curves

learning_curves(run.history, ["loss", "map50"], title="Small SSD on 2,000 scenes")
# %%
claim("mAP at IoU 0.5 on unseen scenes", run.metrics["map50"], at_least=0.1)
for size in ("small", "medium", "large"):
    measured(f"{size} objects", run.metrics[f"map50_{size}"])
# %% [markdown]
# This is a hard test for a minute: five kinds of garments in any colour, at any angle,
# half hidden, among clutter. Look at it. Dashed white is the truth; boxes are what the
# network says with a probability of 0.4 or more.
# %%
from crashcourse.recipes import recipes
from crashcourse.recipes.detector import detect
from crashcourse.recipes.detector_data import detection_data
from crashcourse.recipes.ssd import ssd_predict

model = run.model.cpu()
test = detection_data(recipes()["ssd_scenes"].scale("laptop"), "test")
found = detect(ssd_predict, model, test)
# %%
from crashcourse.figures.boxes import BOX_COLOURS
import itertools

fig, panels = figure(2, 3, height=4.6)
for axes, number in zip(panels.flat, (1, 5, 8, 12, 20, 31), strict=True):
    draw_picture(axes, test.images[number].permute(1, 2, 0))
    for box in test.targets[number]["boxes"].tolist():
        draw_box(axes, box, "white", style="--", width=1)
    said = found[number]
    sure = said["scores"] >= 0.4
    for box, label in zip(said["boxes"][sure].tolist(), said["labels"][sure].tolist(), strict=False):
        draw_box(axes, box, BOX_COLOURS[label], test.classes[label])
show(fig, alt="Six scenes with detections: many garments found, some named wrongly.")
# %% [markdown]
# ### What goes wrong, counted
# Each detection with a probability of at least 0.4 is one of five things: *right*;
# *wrong name* (IoU of 0.5 or more with an object of another class); *second* (its
# object has been found already); *misplaced* (IoU between 0.1 and 0.5); or
# *background*.
# %%
kinds = dict.fromkeys(("right", "wrong name", "second", "misplaced", "background"), 0)
for said, truth in zip(found, test.targets, strict=True):
    taken: set[int] = set()
    overlap = box_iou(said["boxes"], truth["boxes"])  # (D, M), best score first
    for d in (said["scores"] >= 0.4).nonzero()[:, 0].tolist():
        iou, best = overlap[d].max(0)
        best, same = int(best), said["labels"][d] == truth["labels"][best]
        if iou >= 0.5:
            kind = "wrong name" if not same else "second" if best in taken else "right"
            taken |= {best} if same else set()
        else:
            kind = "misplaced" if iou > 0.1 else "background"
        kinds[kind] += 1
# %% tags=["guess"]
fig, axes = figure(height=2.6)
axes.barh(list(kinds), list(kinds.values()), color=COLOURS["blue"])
axes.invert_yaxis()
axes.set_xlabel(f"detections in {len(test)} unseen scenes")
print("detections by what is wrong with them:")
show(fig, alt="Bars: how many detections are right, and of each kind of error.")
# %% [markdown]
# And what is missed? An object is *found* if a detection of its class has an IoU of 0.5
# or more with it. By the size of the object:
# %%
edges = [7, 10, 14, 20, 28, 40, 60]
finds = {0.02: [], 0.4: []}
sides = torch.cat([box_area(truth["boxes"]) for truth in test.targets]).sqrt()
for said, truth in zip(found, test.targets, strict=True):
    overlap = box_iou(said["boxes"], truth["boxes"])
    good = (overlap >= 0.5) & (said["labels"][:, None] == truth["labels"])  # (D, M)
    for least, hits in finds.items():
        hits.append((good & (said["scores"] >= least)[:, None]).any(0))
# %%
fig, axes = figure(height=2.9)
bands = torch.bucketize(sides, torch.tensor(edges)) - 1
for (least, hits), colour in zip(finds.items(), ("sky", "blue"), strict=True):
    hit = torch.cat(hits).float()
    shares = [100 * hit[bands == band].mean() for band in range(6)]
    label = f"probability {least} or more"
    axes.plot(range(6), shares, "o-", color=COLOURS[colour], label=label)
axes.set_xticks(range(6), [f"{a}–{b}" for a, b in itertools.pairwise(edges)])
axes.set(xlabel="side of the object (pixels)", ylabel="found (%)", ylim=(0, 100))
axes.legend()
show(fig, alt="Share of objects found, by size, for a low and a high threshold.")
