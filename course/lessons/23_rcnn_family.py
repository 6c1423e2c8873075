# ---
# jupyter:
#   crashcourse:
#     title: The R-CNN family
#     part: detection
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 85
#     needs: [11, 20]
#     about:
#     - detection.rcnn
#     - detection.fast_rcnn
#     - detection.faster_rcnn
# ---
# %% [markdown]
# # The same pixels, hundreds of times
# A network that names images is there already. Can it find objects, too? Cut out every
# place where one might be, and ask it. That works, and it is slow: the same pixels go
# through the network hundreds of times. In about 85 minutes you will take the time,
# see what it goes into, remove it, and do so again: R-CNN, Fast R-CNN, Faster R-CNN.
# %%
import math
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, show, show_source, show_table

# %% [markdown]
# ## The problem: where to look
# Scenes again, of 112×112 pixels, three to six garments in each. A box is four numbers,
# $x_1, y_1, x_2, y_2$. If all are whole, how many boxes are there?
# %%
from crashcourse.recipes import recipes, train
from crashcourse.recipes.detector_data import detection_data

budget = recipes()["faster_rcnn_scenes"].scale("laptop")
test = detection_data(budget, "test")
side = test.size
print(f"{len(test)} unseen scenes of {side}×{side} pixels")
print(f"boxes in one of them: {(side * (side + 1) // 2) ** 2:,}")
# %% [markdown]
# Nobody asks a network forty million times. Something cheap has to say first where an
# object *might* be; such boxes are called **proposals**. The usual way in 2013 looked
# at colour: cut the image into pieces that look alike, and put a box around each piece
# and around neighbouring ones. (The papers use selective search, which merges pieces by
# a richer rule. Ours joins pairs only.)
# %%
from skimage.segmentation import felzenszwalb, mark_boundaries

from crashcourse.detection import box_iou
from crashcourse.detection.segment_proposals import segment_proposals
from crashcourse.figures.boxes import draw_box, draw_picture

SHOWN = 11
image, objects = test.images[SHOWN], test.targets[SHOWN]["boxes"]  # (3, 112, 112)
proposals = segment_proposals(image)  # (P, 4)
overlap = box_iou(proposals, objects)  # (P, M)
picture = image.permute(1, 2, 0)  # (112, 112, 3)
pieces = felzenszwalb(picture.numpy(), scale=100, sigma=0.5, min_size=20)
# %%
fig, panels = figure(1, 3, height=2.1)
outlined = torch.from_numpy(mark_boundaries(picture.numpy(), pieces, (1, 1, 0)))
draw_picture(panels[0], outlined)
panels[0].set_title("pieces", size=11)
for axes in panels[1:]:
    draw_picture(axes, picture)
for box in proposals[:40].tolist():
    draw_box(panels[1], box, "sky", width=0.8)
panels[1].set_title("40 of the proposals", size=11)
for m in range(len(objects)):
    draw_box(panels[2], objects[m].tolist(), "white", style="--", width=1)
    draw_box(panels[2], proposals[overlap[:, m].argmax()].tolist(), "vermilion")
panels[2].set_title("the best for each object", size=11)
alt = "A scene in pieces; boxes around them everywhere; the best box of each object."
show(fig, alt=alt)
measured("proposals", len(proposals))
measured("mean IoU of the best with its object", overlap.amax(0).mean(), digits=2)
# %% [markdown]
# Most proposals are wrong. That does not matter: they only have to contain the right
# ones. To say which is which is the network's part.
#
# ## R-CNN: cut out, warp, ask
# *Regions with CNN features* (Girshick et al., 2013): stretch each proposal, with some
# of its surroundings, to the network's input size, and run the network on it. A network
# for images takes what comes as if it were a whole image.
# %%
from crashcourse.detection.rcnn import warp_regions
from crashcourse.figures import image_grid

pixels = image.float() / 255
some = torch.cat([proposals[overlap.argmax(0)][:4], proposals[:4]])
warped = warp_regions(pixels, some, 112, context=8)  # (8, 3, 112, 112)
image_grid(
    warped.clamp(0, 1),
    columns=8,
    alt="Eight regions as squares: four hold garments, four other parts of the scene.",
)
# %% [markdown]
# On the network's last vectors R-CNN trains one linear support vector machine for each
# class, and a ridge regression that moves the box (more about that below). The network
# of this lesson is small: five 3×3 convolutions, from 112×112 pixels to a map of 14×14.
# %%
from crashcourse.detection.faster_rcnn import small_faster_rcnn
from crashcourse.inspection import count_macs, count_parameters

backbone = small_faster_rcnn().eval().backbone  # fresh: weights do not change the time
with torch.no_grad():
    (features,) = backbone(pixels[None])  # (1, 64, 14, 14)
macs = count_macs(backbone.features, (3, side, side))
print("map:", tuple(features.shape), f" {macs / 1e6:.0f} million MACs for one image")
measured("and for all proposals", macs * len(proposals) / 1e9, "billion MACs", digits=2)
# %%
fine = time.get_clock_info("process_time").resolution <= 1e-6  # not on Windows
clock = time.process_time if fine else time.perf_counter


@torch.inference_mode()
def milliseconds(call: Callable[[], object], repeats: int = 3) -> float:
    """The least processor time of a call; the first one is the warm-up."""
    spent = []
    for _ in range(repeats + 1):
        start = clock()
        call()
        spent.append(1000 * (clock() - start))
    return min(spent[1:])


def run_on_each(boxes: Tensor) -> None:
    """The backbone on every region, in batches of 64."""
    for part in boxes.split(64):
        backbone(warp_regions(pixels, part, 112, context=8))


# %% [markdown]
# What takes longer: to find the proposals, or to run the network on them? Guess.
# %% tags=["guess"]
threads = torch.get_num_threads()
torch.set_num_threads(1)
print("one scene, one core:")
measured(
    "the network on every proposal", milliseconds(lambda: run_on_each(proposals)), "ms"
)
measured(
    "the network on the whole scene", milliseconds(lambda: backbone(pixels[None])), "ms"
)
measured("finding the proposals", milliseconds(lambda: segment_proposals(image)), "ms")
torch.set_num_threads(threads)
# %% [markdown]
# With VGG-16 and 2,000 proposals it took 47 seconds an image *on a GPU* (Girshick,
# 2015, section 1). And look at the second line: one run over the whole scene costs next
# to nothing. All regions overlap. Their convolutions compute the same values, again and
# again.
#
# ## The idea: cut out of the map
# Run the backbone once. A place of its map knows what is around it in the image, so cut
# the proposal out of the *map*. One thing is in the way: the dense layers that follow
# want a fixed number of inputs, and proposals have all sizes. On a map of 4×4, for a
# box in an image with stride 8:
# %%
small = torch.tensor([[1.0, 2, 0, 4], [3, 9, 1, 0], [0, 5, 7, 2], [8, 0, 3, 6]])
box = [1.0, 9.0, 26.0, 22.0]  # x1, y1, x2, y2 in the image
x1, y1, x2, y2 = (round(value / 8) for value in box)
print("in pixels of the map, rounded:", [x1, y1, x2, y2])
region = small[y1 : y2 + 1, x1 : x2 + 1]  # both ends belong to it: (3, 4)
print(region)
# %% [markdown]
# To make 2×2 numbers of 3×4, cut it into 2×2 *bins* and take the largest value of each.
# Three rows do not halve: the first bin is rows 0 and 1, the second rows 1 and 2. (Of
# $n$ rows, bin $i$ begins at $i · n/2$, rounded down, and ends before $(i+1) · n/2$,
# rounded up. So neighbours may share a row, and no bin is empty.)
# %%
for rows in ((0, 2), (1, 3)):
    print([region[slice(*rows), left : left + 2].max().item() for left in (0, 2)])
# %% [markdown]
# This is **RoIPool**, for *region of interest*. **Write it**, for one box.
# %% exercise="detection.pool_region"
# %%
from torchvision.ops import roi_pool as their_roi_pool

inside = proposals[(proposals <= side - 8).all(1)]  # ends within the map
boxes = inside[:50] + 0.3  # no corner on a half, where rules of rounding differ
ours = [pool_region(features[0], box, 1 / 8, 5) for box in boxes.tolist()]
theirs = their_roi_pool(features, [boxes], 5, 1 / 8)  # (50, 64, 5, 5)
print("by hand:", pool_region(small[None], box, 1 / 8, 2).tolist())
print("equal to torchvision's on 50:", torch.equal(torch.stack(ours), theirs))
# %% [markdown]
# What does it do to a box? In orange a proposal as it is, in blue the pixels of the map
# that RoIPool takes for it, dotted its 5×5 bins. The white grid is the map's.
# %%
chosen = inside[box_iou(inside, objects).argmax(0)[:3]]  # the best for three objects
fig, panels = figure(1, 3, height=2.1)
for axes, own in zip(panels, chosen, strict=True):
    draw_picture(axes, picture)
    axes.hlines(range(0, side + 1, 8), 0, side, color="white", linewidth=0.4)
    axes.vlines(range(0, side + 1, 8), 0, side, color="white", linewidth=0.4)
    first, last = (
        (own / 8 + 0.5).floor().view(2, 2)
    )  # (x, y) of the pixels at both ends
    cuts = [first + (number * (last - first + 1) / 5).floor() for number in range(1, 5)]
    across, down = 8 * torch.stack(cuts).T  # (4,) each: where bins begin
    style = {"color": COLOURS["sky"], "linewidth": 1, "linestyle": ":"}
    axes.vlines(across, 8 * first[1], 8 * last[1] + 8, **style)
    axes.hlines(down, 8 * first[0], 8 * last[0] + 8, **style)
    draw_box(axes, [*(8 * first).tolist(), *(8 * last + 8).tolist()], "blue")
    draw_box(axes, own.tolist(), "orange", style="--")
show(fig, alt="Three boxes: what RoIPool takes is shifted, and larger by some pixels.")
# %% [markdown]
# The upper left corner moves by up to half a pixel of the map, four of the image. And
# as the last pixel belongs to the region, it ends 4 to 12 pixels too far right and
# down. For naming a garment that is near enough. For drawing its outline it is not:
# lesson 24.
#
# ## Fast R-CNN
# Girshick (2015): the backbone once; RoIPool for every proposal; two dense layers; then
# two outputs for each region. Scores $p$ for all classes, with background as class 0.
# And for every class four numbers $t$ that move the box. No support vector machines:
# one loss trains everything, backbone and all. For a region of class $u$ whose box
# should move by $v$ (equation 1):
#
# $$L(p, u, t^u, v) = -\log p_u + \lambda\,[u \ge 1]\;\mathrm{smooth}_{L1}(t^u - v)$$
#
# Background has no box, so its second term is 0: that is what $[u \ge 1]$ says. λ is 1.
# Three regions, of classes 2, 0 and 1:
# %%
from crashcourse.detection.roi_heads import fast_rcnn_loss

draw = torch.Generator().manual_seed(0)
logits = torch.randn(3, 3, generator=draw)  # (regions, classes)
moves = torch.randn(3, 3, 4, generator=draw)  # (regions, classes, 4)
labels, goals = torch.tensor([2, 0, 1]), torch.zeros(2, 4)  # goals of objects only
own = moves[[0, 2], [2, 1]]  # each object's own class: (2, 4)
by_hand = -logits.log_softmax(1)[[0, 1, 2], labels].sum() / 3
boxes_by_hand = F.smooth_l1_loss(own, goals, beta=1 / 9, reduction="sum") / 3
losses = fast_rcnn_loss(logits, moves, labels, goals)
print("classes:", torch.isclose(by_hand, losses["loss_classifier"]).item())
print("boxes:  ", torch.isclose(boxes_by_hand, losses["loss_box_reg"]).item())
# %% [markdown]
# (The loss is the mean over regions; smooth L1 turns from a square into a line, here at
# 1/9, as in torchvision.) The paper trains on 64 regions of each image, a quarter of
# them objects: an IoU of 0.5 or more. Background lies between 0.1 and 0.5. (Below, for
# scenes, it will be 32 regions, half of them objects.)
#
# ### From an anchor to a box
# What are the four numbers? Not pixels: 5 pixels are much for a shoe and little for a
# dress. So divide by the size of the box you start from, and say sizes as logarithms of
# ratios. From a start $a$ to a box (R-CNN's appendix C, and the same ever since):
#
# $$t_x = \frac{x - x_a}{w_a} \quad t_y = \frac{y - y_a}{h_a} \quad
# t_w = \log\frac{w}{w_a} \quad t_h = \log\frac{h}{h_a}$$
#
# with $x, y$ the centre and $w, h$ the sides. A start of 20×40 with centre (20, 40),
# and a box twice as wide that lies 5 to the right:
# %%
print("t_x = 5 / 20 =", 5 / 20, "  t_w = log 2 =", round(math.log(40 / 20), 2))
# %% [markdown]
# **Write both ways.** Starts are called anchors here; you will see why.
# %% exercise="detection.box_to_deltas"
# %% exercise="detection.deltas_to_box"
# %%
start = torch.tensor([[10.0, 20, 30, 60]])  # centre (20, 40), 20 wide, 40 high
goal = torch.tensor([[5.0, 20, 45, 60]])  # centre (25, 40), 40 wide
deltas = box_to_deltas(goal, start)
print([round(value, 2) for value in deltas[0].tolist()])
print("and back:", deltas_to_box(deltas, start)[0].round().tolist())
# %% [markdown]
# Now the clock. In Fast R-CNN there are three parts: finding proposals; the backbone,
# once; RoIPool, dense layers and suppression for all proposals. Which takes longest?
# %% tags=["guess"]
from crashcourse.detection.roi_pool import roi_pool

network = small_faster_rcnn(pool=roi_pool).eval()
batch = network.transform([pixels])[0]
with torch.inference_mode():
    maps = network.backbone(batch.tensor)  # [(1, 64, 14, 14)]
parts = {
    "finding the proposals": lambda: segment_proposals(image),
    "the backbone": lambda: network.backbone(batch.tensor),
    "regions": lambda: network.roi_heads(maps, [proposals], batch.sizes),
}
torch.set_num_threads(1)
print("one scene, one core:")
for name, call in parts.items():
    measured(name, milliseconds(call), "ms")
torch.set_num_threads(threads)
# %% [markdown]
# The network has become cheap, and what was the small part is now nearly all of it. In
# the paper's setting: 0.3 s for the network on a GPU, and about 2 s for selective
# search on a CPU (Girshick, 2015, abstract and section 1; Ren et al., 2015, section 1).
#
# ## Faster R-CNN: let the map propose
# The map is there anyway. Ren et al. (2015) let it propose: at every place of the map a
# small network says whether there is an object around here, and where. It needs
# something to start from: at every place lie $k$ boxes of fixed sizes and shapes, the
# **anchors**. (SSD's default boxes, of lesson 22, came half a year later.)
#
# **Write them** for one map.
# %% exercise="detection.place_anchors"
# %%
from crashcourse.recipes.faster_rcnn import ANCHOR_SIDES

sizes = ANCHOR_SIDES["clear_scenes"]
anchors = place_anchors(14, 14, 8, sizes, (0.5, 1.0, 2.0))  # (1764, 4)
print("sizes:", sizes, "  anchors:", tuple(anchors.shape))
iou = box_iou(objects, anchors)  # (M, 1764)
measured("mean IoU of the best anchor of each object", iou.amax(1).mean())
fig, panels = figure(1, 3, height=2.1)
for axes in panels:
    draw_picture(axes, picture)
panels[0].plot(*((anchors[::9, :2] + anchors[::9, 2:]) / 2).T, ".", ms=3, color="white")
middle = 9 * (7 * 14 + 7)
for number, box in enumerate(anchors[middle : middle + 9].tolist()):
    draw_box(panels[1], box, ("vermilion", "yellow", "sky")[number // 3], width=1.5)
for m, number in enumerate(iou.argmax(1).tolist()):
    draw_box(panels[2], objects[m].tolist(), "white", style="--", width=1)
    draw_box(panels[2], anchors[number].tolist(), "vermilion")
titles = ("196 places", "9 anchors of one", "the best for each object")
for axes, title in zip(panels, titles, strict=True):
    axes.set(xlim=(0, side), ylim=(side, 0))
    axes.set_title(title, size=11)
show(
    fig, alt="Places in a grid; nine anchors at one of them; the best for each object."
)
# %% [markdown]
# No pixel was looked at for these boxes, and yet they fit objects roughly. The network
# has to say two things of each anchor: *is there an object* (one number, the
# objectness), and *where exactly* (four, the deltas that you just wrote). A 3×3
# convolution and two of 1×1 do it for all places at once, the **region proposal
# network**, RPN:
# %%
from crashcourse.detection.rpn import RPNHead

show_source(RPNHead.forward)
with torch.no_grad():
    objectness, moves = network.rpn.head(maps)  # [(1, 1764)], [(1, 1764, 4)]
print(tuple(objectness[0].shape), tuple(moves[0].shape))
# %% [markdown]
# ### What an anchor learns
# An anchor with an IoU of 0.7 or more is *positive*. So is the best anchor of each
# object, however low its IoU: else that object would be learned by none. Below 0.3 it
# is *negative*. In between?
# %% exercise="rcnn.in_between"
# %% [markdown]
# There are far more negatives than positives. A step draws a fixed number of anchors,
# at most half of them positive (256 in the paper, 64 here). **Write it.**
# %% exercise="detection.sample_anchors"
# %%
order = torch.randperm(len(anchors), generator=torch.Generator().manual_seed(0))
taken = sample_anchors(iou, order, 64)  # (1764,): 1, 0 or -1
most = iou.amax(0)
rows = [
    [
        "IoU of 0.7 or more",
        int((most >= 0.7).sum()),
        int((taken[most >= 0.7] == 1).sum()),
    ],
    ["0.3 to 0.7", int(((most >= 0.3) & (most < 0.7)).sum()), ""],
    ["below 0.3", int((most < 0.3).sum()), int((taken == 0).sum())],
]
rows[1][2] = int((taken == 1).sum()) - rows[0][2]
show_table(rows, ["anchors", "there are", "drawn"], "Anchors of one scene")
# %%
fig, panels = figure(1, 2, height=2.5)
kinds = {
    "drawn as objects": (1, "vermilion", 1.5),
    "drawn as background": (0, "sky", 0.9),
}
for axes, (title, (kind, colour, width)) in zip(panels, kinds.items(), strict=True):
    draw_picture(axes, picture)
    for box in objects.tolist():
        draw_box(axes, box, "white", style="--", width=1)
    for box in anchors[taken == kind].tolist():
        draw_box(axes, box, colour, width=width)
    axes.set(xlim=(0, side), ylim=(side, 0))
    axes.set_title(title, size=11)
show(
    fig, alt="Anchors drawn as objects fit the garments; background ones lie elsewhere."
)
# %% [markdown]
# Anchors drawn as background may touch an object, with an IoU below 0.3. That is meant:
# the RPN has to learn that half a shoe is no box for a shoe.
#
# ### Four losses
# The RPN has two: cross-entropy of the objectness over drawn anchors, smooth L1 of the
# deltas over positive ones. Its best boxes, after suppression, are the proposals; what
# follows is Fast R-CNN with its own two. It takes the proposals' coordinates as fixed
# numbers, as if they came from colour. The sum of the four losses trains all of it,
# backbone included. (The paper trained both halves in turns, in four steps. Its
# authors' later code, and everybody since, trains them together.)
# %% exercise="rcnn.no_gradient"
# %% [markdown]
# Here is a step of training on the scene from above, by its parts:
# %%
torch.manual_seed(0)
target = {
    "boxes": objects,
    "labels": test.targets[SHOWN]["labels"] + 1,
}  # 0: background
losses = small_faster_rcnn(pool=roi_pool, sizes=sizes)([pixels], [target])
for name, value in losses.items():
    measured(name, value.item())
# %% [markdown]
# Of a fresh network with two choices the cross-entropy is about log 2 ≈ 0.69; with six,
# five kinds of garments and background, about log 6 ≈ 1.79. A good first check of any
# code like this.
#
# ### The paper's network
# **Fill in** what it computes for an image of 608×800.
# %% exercise="rcnn.counts"
# %%
from crashcourse.detection.fast_rcnn import fast_rcnn_vgg16
from crashcourse.detection.faster_rcnn import fasterrcnn_resnet50_fpn, fasterrcnn_vgg16

builders = {
    "Fast R-CNN, VGG-16": fast_rcnn_vgg16,
    "Faster R-CNN, VGG-16": fasterrcnn_vgg16,
    "Faster R-CNN, ResNet-50 and FPN": fasterrcnn_resnet50_fpn,
    "ours for scenes": small_faster_rcnn,
}
rows = []
for name, build in builders.items():
    with torch.device("meta"):  # shapes without numbers
        built = build()
    share = count_parameters(built.roi_heads) / count_parameters(built)
    rows.append([name, count_parameters(built), f"{share:.0%}"])
show_table(
    rows, ["network", "parameters", "in the second stage"], "The family in numbers"
)
# %% [markdown]
# The RPN of the paper adds 2.4 million to the 135 million of Fast R-CNN. The third row
# is the form that is in use today; its feature pyramid comes in lesson 24. The course's
# tests hold it to torchvision's: same weights, same losses, same boxes.
#
# ## The run: garments in scenes
# Our small Faster R-CNN, on 2,000 scenes, each seen twice. One thing differs from what
# you built: it pools with **RoIAlign**, RoIPool without the rounding (lesson 24 shows
# how). With so little training that matters: in a recorded study, on harder scenes,
# RoIPool came to a mAP of {record:faster_rcnn_scenes.study.roi_pool.map50:.2f}. What do
# you expect with RoIAlign, there and on our easier ones?
# %%
run = train("faster_rcnn_scenes", progress=False)
# %% tags=["guess"]
fig, panels = figure(1, 2, height=2.9)
epochs = range(1, len(run.history.epochs) + 1)
names = {
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposals' boxes",
    "loss_classifier": "classes",
    "loss_box_reg": "boxes",
}
for (key, name), marker in zip(names.items(), "os^D", strict=True):
    values = [epoch[key] for epoch in run.history.epochs]
    panels[0].plot(epochs, values, marker + "-", label=name)
panels[0].set(xlabel="epoch", ylabel="loss", xticks=list(epochs))
panels[0].legend(fontsize=9)
scores = [100 * epoch["test_map50"] for epoch in run.history.epochs]
panels[1].plot(epochs, scores, "o-", color=COLOURS["black"])
panels[1].set(
    xlabel="epoch", ylabel="mAP at IoU 0.5 (%)", xticks=list(epochs), ylim=(0, 60)
)
print("the four losses, and how good detections are, epoch by epoch:")
alt = "The RPN's losses fall; those of the second stage hardly; the precision rises."
show(fig, alt=alt)
# %% [markdown]
# The proposals get better from epoch to epoch, and their losses fall. The second
# stage's losses need not: the better the proposals, the more of its 32 regions an image
# hold an object, and objects are harder than background. A loss whose data change says
# little. The detections do get better.
#
# The study, with {record:faster_rcnn_scenes.study.seeds} seeds: RoIAlign
# {record:faster_rcnn_scenes.study.roi_align.map50:.3f} ±
# {record:faster_rcnn_scenes.study.roi_align.map50_std:.3f}, RoIPool
# {record:faster_rcnn_scenes.study.roi_pool.map50:.3f} ±
# {record:faster_rcnn_scenes.study.roi_pool.map50_std:.3f}. Both find nearly as many of
# the objects, about two thirds. With stricter IoUs, 0.5 to 0.95, the two are further
# apart ({record:faster_rcnn_scenes.study.roi_align.map:.3f} against
# {record:faster_rcnn_scenes.study.roi_pool.map:.3f}): without the rounding, boxes fit
# better. And here:
# %%
claim("mAP at IoU 0.5 on unseen scenes", run.metrics["map50"], at_least=0.18)
claim("objects found, of all", run.metrics["recall50"], at_least=0.6)
# %% [markdown]
# For most objects, some box with the right name is in the list: that is the second
# number. What costs precision is what stands before it, under wrong names. After a
# minute the network sees *that* something is there; which of five kinds it is, it often
# mistakes.
#
# ## Proposals, learned and by colour
# The scene from above; the 15 best proposals of the RPN, and 15 by colour.
# %%
model = run.model.cpu()


@torch.inference_mode()
def propose(model: nn.Module, images: Tensor, most: int = 300) -> list[Tensor]:
    """The RPN's proposals for each image, best first."""
    rpn = model.rpn
    limits = rpn.before_nms, rpn.after_nms
    rpn.before_nms, rpn.after_nms = (0, 2000), (0, most)
    batch = model.transform(list(images.float() / 255))[0]
    found = rpn(batch, model.backbone(batch.tensor))[0]
    rpn.before_nms, rpn.after_nms = limits
    return found


few = test.take(24)
learned = propose(model, few.images)
by_colour = [segment_proposals(scene, most=300) for scene in few.images]
# %%
fig, panels = figure(1, 2, height=2.7)
for axes, boxes in zip(panels, (learned[SHOWN], by_colour[SHOWN]), strict=True):
    draw_picture(axes, picture)
    for box in objects.tolist():
        draw_box(axes, box, "white", style="--", width=1)
    for box in boxes[:15].tolist():
        draw_box(axes, box, "vermilion", width=0.9)
panels[0].set_title("by the RPN", size=11)
panels[1].set_title("by colour", size=11)
show(fig, alt="The RPN's boxes crowd around garments; those by colour lie everywhere.")


# %% [markdown]
# How many proposals does one need? *Recall*: the part of the objects that have a
# proposal with an IoU of 0.5 or more among the first $n$. As a third, the anchors
# themselves in random order: what the RPN starts from. Guess where the curves cross.
# %%
def recall(proposals: list[Tensor], n: int, least: float = 0.5) -> float:
    """The part of all objects that the first n proposals of each image meet."""
    pairs = zip(proposals, few.targets, strict=True)
    best = [box_iou(own[:n], there["boxes"]).amax(0) for own, there in pairs]
    return (torch.cat(best) >= least).float().mean().item()


draw = torch.Generator().manual_seed(0)
by_chance = [anchors[torch.randperm(len(anchors), generator=draw)] for _ in learned]
sources = {"RPN": learned, "by colour": by_colour, "anchors, by chance": by_chance}
# %% tags=["guess"]
counts = [1, 3, 10, 30, 100, 300]
fig, panels = figure(1, 2, height=3.0, sharey=True)
for axes, least in zip(panels, (0.5, 0.7), strict=True):
    for (name, own), marker in zip(sources.items(), "os^", strict=True):
        values = [100 * recall(own, n, least) for n in counts]
        axes.plot(counts, values, marker + "-", label=name)
    axes.set(xscale="log", xlabel="proposals n", ylim=(0, 101))
    axes.set_title(f"IoU of {least} or more", size=11)
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.minorticks_off()
panels[0].set_ylabel("objects met (%)")
panels[1].legend(fontsize=10, loc="upper left")
print("recall against the number of proposals:")
show(
    fig, alt="The RPN's curves rise early, those by colour late, and these end higher."
)
# %%
claim("RPN, 10 proposals: recall", recall(learned, 10), at_least=0.4)
gain = recall(learned, 10) - recall(by_colour, 10)
claim("more than by colour, 10 proposals", gain, at_least=0.1)
gain = recall(learned, 300) - recall(by_colour, 300)
measured("more than by colour, 300 proposals", gain)
# %% [markdown]
# With few proposals the RPN is far ahead: it *ranks* them, and colour does not. At some
# tens of proposals the curves cross. With tight boxes (0.7) and hundreds of them, the
# pieces are better: they follow the pixels, and our RPN trained for a minute. So recall
# alone is no argument against colour. Time is:
#
# ## Three pipelines, one scene, one backbone
# All three with the weights just trained. R-CNN and Fast R-CNN take all proposals by
# colour; Faster R-CNN its own 100.
# %%
pixels, size = test.images[SHOWN].float() / 255, [(side, side)]
with torch.inference_mode():
    batch = model.transform([pixels])[0]
    maps = model.backbone(batch.tensor)
    own = model.rpn(batch, maps)[0]
stages = {
    "R-CNN": {
        "proposals": lambda: segment_proposals(image),
        "network": lambda: [
            model.backbone(warp_regions(pixels, part, 112, context=8))
            for part in proposals.split(64)
        ],
    },
    "Fast R-CNN": {
        "proposals": lambda: segment_proposals(image),
        "network": lambda: model.backbone(batch.tensor),
        "regions": lambda: model.roi_heads(maps, [proposals], size),
    },
    "Faster R-CNN": {
        "proposals": lambda: model.rpn(batch, maps),
        "network": lambda: model.backbone(batch.tensor),
        "regions": lambda: model.roi_heads(maps, own, size),
    },
}
# %% tags=["guess"]
torch.set_num_threads(1)
spent = {
    name: {stage: milliseconds(call) for stage, call in own_stages.items()}
    for name, own_stages in stages.items()
}
torch.set_num_threads(threads)
total = {name: sum(own_stages.values()) for name, own_stages in spent.items()}
fig, axes = figure(height=2.6)
colours = {"proposals": "orange", "network": "blue", "regions": "green"}
for row, (name, own_stages) in enumerate(spent.items()):
    left = 0.0
    for stage, value in own_stages.items():
        part = 100 * value / total[name]
        axes.barh(row, part, left=left, color=COLOURS[colours[stage]])
        if part > 18:
            axes.text(
                left + part / 2, row, stage, ha="center", va="center", color="white"
            )
        left += part
    axes.text(101, row, f"{total[name]:.0f} ms", va="center")
axes.set_yticks(range(3), list(spent))
axes.set(xlabel="share of the time (%)", xlim=(0, 100))
axes.invert_yaxis()
axes.grid(visible=False)
print("where the time goes:")
alt = "R-CNN: most in the network. Fast: nearly all in proposals. Faster: spread out."
show(fig, alt=alt)
# %%
rows = []
runs = {"R-CNN": len(proposals), "Fast R-CNN": 1, "Faster R-CNN": 1}
for name, own_stages in spent.items():
    times = {stage: approximately(value) for stage, value in own_stages.items()}
    cells = [times.get(stage, "none") for stage in colours]
    rows.append([name, approximately(runs[name]), *cells, approximately(total[name])])
headers = ["", "backbone runs", *(f"{stage} (ms)" for stage in colours), "in all (ms)"]
print("measured on this machine:")
show_table(rows, headers, "One scene of 112×112, one core")
claim("R-CNN / Fast R-CNN", total["R-CNN"] / total["Fast R-CNN"], at_least=1.5)
claim(
    "Fast R-CNN / Faster R-CNN", total["Fast R-CNN"] / total["Faster R-CNN"], at_least=2
)
# %% [markdown]
# R-CNN spends its time in the network, Fast R-CNN in its proposals, Faster R-CNN in no
# single place. Ren et al. (2015, table 5) give 198 ms for an image in all, with VGG-16
# on a GPU of 2015: five images a second.
#
# ### Does the faster one find less?
# The second stage of our Fast R-CNN was trained with the RPN's proposals; it takes
# others, too. All on the same 24 unseen scenes:
# %%
from crashcourse.recipes.detector import score_detections

colour50, learned50 = ([own[:50] for own in boxes] for boxes in (by_colour, learned))
with torch.inference_mode():
    pictures = list(few.images.float() / 255)
    batch = model.transform(pictures)[0]
    second, maps = model.roi_heads, model.backbone(batch.tensor)
    answers = {
        "Fast R-CNN, 50 by colour": second(maps, colour50, batch.sizes)[0],
        "Fast R-CNN, up to 300 by colour": second(maps, by_colour, batch.sizes)[0],
        "Faster R-CNN, 50 of its own": second(maps, learned50, batch.sizes)[0],
    }
for name, found in answers.items():
    found = [{**own, "labels": own["labels"] - 1} for own in found]
    measured(f"{name}: mAP", score_detections(found, few, whole=False)["map50"])
# %% [markdown]
# Two dozen scenes and one seed: read large differences only. With hundreds of pieces of
# colour Fast R-CNN comes near Faster R-CNN with 50 proposals of its own. R-CNN is not
# in this race: on features that were never trained for regions cut out and stretched it
# would lose for the wrong reason. The papers' own numbers on VOC 2007,
# in mAP: R-CNN 58.5 with AlexNet and 66.0 with VGG-16; Fast R-CNN 66.9 and Faster R-CNN
# 69.9, both with VGG-16. Faster did not mean worse.
#
# ## Look at it
# What the second stage says of 100 proposals, before suppression and after it (lesson
# 20), for scores of 0.3 or more:
# %%
from dataclasses import replace

from crashcourse.figures.boxes import BOX_COLOURS
from crashcourse.recipes.faster_rcnn import faster_rcnn_predict


@torch.inference_mode()
def detections(images: Tensor, suppress_above: float) -> list[dict[str, Tensor]]:
    """What the network finds; an IoU of 1 suppresses nothing."""
    usual = model.roi_heads.selection
    model.roi_heads.selection = replace(usual, iou_threshold=suppress_above)
    found = faster_rcnn_predict(model, images.float() / 255)
    model.roi_heads.selection = usual
    return found


fig, panels = figure(1, 2, height=2.7)
two = ((1.0, "before"), (0.5, "after"))
for axes, (suppress_above, when) in zip(panels, two, strict=True):
    (own,) = detections(few.images[SHOWN : SHOWN + 1], suppress_above)
    draw_picture(axes, picture)
    sure = own["scores"] >= 0.3
    for box, label in zip(
        own["boxes"][sure].tolist(), own["labels"][sure], strict=True
    ):
        word = test.classes[label] if suppress_above < 1 else ""
        draw_box(axes, box, BOX_COLOURS[label], word, width=1.5)
    axes.set_title(f"{when} suppression", size=11)
show(
    fig, alt="Many boxes for a garment before suppression; few after, of several names."
)
# %% [markdown]
# Suppression works class by class. A garment that the network cannot name keeps a box
# under each of the names that it hesitates between.
#
# What becomes of an object? It is *found*; or a box fits, under a *wrong class*; or a
# box of its class is there, *badly placed*; or it is *not seen*. Scores of 0.3 or more,
# all 300 unseen scenes. Which of the three errors is the most common? Guess.
# %% tags=["guess"]
from crashcourse.detection.failures import KINDS, why_missed

answers = [one for part in test.images.split(50) for one in detections(part, 0.5)]
fates = []
for own, there in zip(answers, test.targets, strict=True):
    sure = own["scores"] >= 0.3
    fates += why_missed({key: values[sure] for key, values in own.items()}, there)
fig, axes = figure(height=2.3)
axes.barh(KINDS, [100 * fates.count(kind) / len(fates) for kind in KINDS])
axes.invert_yaxis()
axes.set_xlabel("objects (%)")
print("what became of the objects:")
show(
    fig,
    alt="Bars: the share of objects found, of a wrong class, badly placed, not seen.",
)
# %% [markdown]
# *Not seen* leads: no box that fits scores 0.3. Were they overlooked? Ask again, with
# all boxes that the network gives out, from a score of 0.05 on:
# %%
pairs = zip(answers, test.targets, strict=True)
fates = [kind for own, there in pairs for kind in why_missed(own, there)]
share = {kind: fates.count(kind) / len(fates) for kind in KINDS}
claim("found, from 0.05 on", share["found"], at_least=0.6)
claim("not seen, from 0.05 on", share["not seen"], at_most=0.15)
# %% [markdown]
# Hardly one was overlooked. Most have their box under the right name, with a low score:
# so short a training leaves the network unsure.
#
# ## Full scale
# A network three times as wide, on 20,000 scenes of 224×224 pixels with up to twelve
# objects, many of them small and hidden. And the same on the photographs of PASCAL VOC
# 2007, four times as wide, from scratch: without pretrained weights it cannot come near
# the papers' numbers. With a GPU these cells train; elsewhere they show the records, if
# there are any.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("faster_rcnn_scenes")
# %%
gpu_cell("faster_rcnn_voc2007")
# %% [markdown]
# ## What changed since
# Two stages are still the usual form where accuracy counts before speed. A pyramid of
# maps lets small objects be found on fine maps (Lin et al., 2016), RoIAlign does away
# with the rounding, and a third branch draws masks (He et al., 2017): all in lesson 24.
# Cascade R-CNN (Cai and Vasconcelos, 2017) repeats the second stage with rising IoU
# thresholds. DETR (Carion et al., 2020) has neither anchors nor suppression: a fixed
# set of questions to a transformer, each matched to at most one object.
#
# *References:* R. Girshick, J. Donahue, T. Darrell, J. Malik, "Rich feature hierarchies
# for accurate object detection and semantic segmentation", 2013, arXiv 1311.2524. R.
# Girshick, "Fast R-CNN", 2015, arXiv 1504.08083. S. Ren, K. He, R. Girshick, J. Sun,
# "Faster R-CNN", 2015, arXiv 1506.01497. P. Felzenszwalb, D. Huttenlocher, "Efficient
# graph-based image segmentation", IJCV 2004. J. Uijlings et al., "Selective search for
# object recognition", IJCV 2013. D. Hoiem, Y. Chodpathumwan, Q. Dai, "Diagnosing error
# in object detectors", ECCV 2012. T.-Y. Lin et al., "Feature pyramid networks", 2016,
# arXiv 1612.03144. K. He et al., "Mask R-CNN", 2017, arXiv 1703.06870. Z. Cai, N.
# Vasconcelos, "Cascade R-CNN", 2017, arXiv 1712.00726. N. Carion et al., "End-to-end
# object detection with transformers", 2020, arXiv 2005.12872.
