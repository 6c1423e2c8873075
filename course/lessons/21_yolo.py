# ---
# jupyter:
#   crashcourse:
#     title: YOLO
#     part: detection
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 90
#     needs: [10, 20]
#     about:
#       - detection.yolo
#       - detection.yolo_loss
#       - detection.yolo_network
#       - detection.yolo_versions
# ---
# %% [markdown]
# # The whole image, one look
# Lesson 20 made its answers up. Now a network gives them. In about 90 minutes you will
# say what every part of an image should answer, write YOLO's loss term by term, train a
# small YOLO on this computer, and count what it gets wrong. At the end stands what the
# versions since have changed.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, show, show_table

# %% [markdown]
# ## The problem: a thousand looks
# These scenes are 112×112 pixels. Each has three to six garments, of five kinds.
# %%
from crashcourse.figures import boxes_on_images
from crashcourse.recipes import recipes
from crashcourse.recipes.detector_data import detection_data

laptop = recipes()["yolo_scenes"].scale("laptop")
held_out = detection_data(laptop, "test")  # 300 scenes that no network is trained on
classes = held_out.classes
boxes_on_images(
    held_out.images[:3],
    [target["boxes"] for target in held_out.targets[:3]],
    [target["labels"] for target in held_out.targets[:3]],
    classes=classes,
)
# %% [markdown]
# You have a classifier from part 1. It names *one* garment in *one* picture. To find
# all of them, slide a window over the scene and ask it at every stop. Square windows of
# six sizes, moved by a fifth of their side: how often must the classifier run for one
# scene?
# %% tags=["guess"]
print("looks, for windows of six sizes:")
looks = {side: ((112 - side) // (side // 5) + 1) ** 2 for side in range(20, 60, 7)}
print(looks)
print("together:", sum(looks.values()))
# %% [markdown]
# More than a thousand runs, most of them on pixels that the run before has seen, and a
# garment that is not square is never framed well. R-CNN (lesson 23) asks at 2000 chosen
# places. *You only look once* (YOLO; Redmon et al., 2015) asks once.
#
# ## The idea: every cell answers for itself
# A network whose strides multiply to 16 makes 7×7 places out of 112×112 pixels. Each
# place has seen a part of the image around it. So let each place, each *cell* of an S×S
# grid (S = 7 here), answer for an object **whose centre lies in it**: one object a
# cell; if two centres share a cell, the second is left out. Then nobody has to decide
# how many objects there are, or in which order they come: an object's place in the
# output follows from its place in the image.
# %%
from crashcourse.figures.boxes import draw_box, draw_picture


def draw_grid(axes, image: Tensor, boxes: Tensor, cells: int = 7) -> None:
    """A scene under its grid, its boxes and centres; the centres' cells are tinted."""
    side = image.shape[-1] / cells
    draw_picture(axes, image.permute(1, 2, 0))
    lines = [side * step for step in range(cells + 1)]
    axes.hlines(lines, 0, lines[-1], color="white", linewidth=0.6)
    axes.vlines(lines, 0, lines[-1], color="white", linewidth=0.6)
    for box in boxes:
        x, y = (box[:2] + box[2:]).div(2).tolist()
        left, top = x // side * side, y // side * side
        across, down = [left, left + side], [top, top]
        axes.fill_between(across, down, top + side, color=COLOURS["sky"], alpha=0.6)
        draw_box(axes, box.tolist(), "yellow")
        axes.plot(x, y, "o", color=COLOURS["vermilion"], markersize=5)


fig, panels = figure(1, 3, height=2.3)
for number, axes in enumerate(panels):
    image, target = held_out.images[number], held_out.targets[number]
    draw_grid(axes, image, target["boxes"])
show(fig, alt="Three scenes under a 7×7 grid; the cell of each centre is blue.")
# %% [markdown]
# A garment may be much larger than its cell. The cell does not have to *contain* it,
# only to say where it is.
#
# ### What a cell should say of an object
# Four numbers: where in the cell its centre is, x and y from 0 to 1, and how large it
# is, w and h as parts of the *image*. All lie between 0 and 1, whatever the image's
# size.
#
# **Exercise 1** (10 minutes). Fill the grid. Rows come first in a tensor, and the row
# follows from y.
# %% exercise="detection.encode_cells"
# %%
boxes, labels = (held_out.targets[0][name] for name in ("boxes", "labels"))
goal = encode_cells(boxes, 7, 112)  # (7, 7, 5)
for row, column in goal[..., 4].nonzero().tolist():
    x, y, w, h, _ = (round(value, 2) for value in goal[row, column].tolist())
    print(f"row {row}, column {column}: x {x} y {y}, w {w} h {h}")
# %% [markdown]
# The package's form keeps the same numbers under names, and the label with them:
# %%
from crashcourse.detection import Grid, encode_targets

grid = Grid(cells=7, boxes=2, classes=5)
target = encode_targets(boxes, labels, grid, (112, 112))
same = torch.equal(target.has_object, goal[..., 4] == 1)
print("the same cells:", same, " labels:", target.labels[target.has_object].tolist())
# %% [markdown]
# ### What a cell says
# - **B boxes**, each with five numbers: x, y, w, h and a *confidence*. The confidence
#   should be 0 where nothing is. Where something is, it should be the IoU of the box
#   with the object: a box should know how good it is. In the paper's words, confidence
#   *is* Pr(object) · IoU, as one number.
# - **C class scores**, once for the whole cell: if there is an object, which is it? All
#   B boxes of the cell share them.
#
# The answer's score for a class is the product of the two (equation 1 of the paper):
#
# $$\Pr(\text{class} \mid \text{object}) \cdot \Pr(\text{object}) \cdot \text{IoU}$$
#
# The first factor is a class score of the cell, the other two are the confidence.
# That makes B · 5 + C numbers a cell. Since version 2 every *box* has its own class
# scores: B · (5 + C).
#
# **Exercise 2** (8 minutes). The paper's network in numbers.
# %% exercise="yolo.shapes"
# %% [markdown]
# ### The way back
# **Exercise 3** (10 minutes). From an output to boxes in pixels. One thing is new: the
# network puts out the **roots** of w and h. You will see why below; here, square them.
# %% exercise="detection.decode_cells"
# %% [markdown]
# There and back: write the goal as if a network had said it, with confidence 1, and
# read it again.
# %%
sure = goal[..., 4:]  # (7, 7, 1): one box a cell
named = torch.nn.functional.one_hot(target.labels, 5) * sure  # (7, 7, 5)
said = (goal[..., None, :2], goal[..., None, 2:4].sqrt(), sure, named, 112)
found, certain = decode_cells(*said)  # (49, 4), (49, 5)
back = found[certain.amax(1) > 0]
print(f"{len(found)} boxes, {len(back)} with a score; garments: {len(boxes)}")
print("as they were:", bool((torch.cdist(boxes, back).amin(1) < 1e-3).all()))
# %% [markdown]
# ### What no cell can say
# %% exercise="yolo.two_in_a_cell"
# %% [markdown]
# That is a limit before any training. How many objects does it cost? On these scenes,
# and on smaller garments in thicker crowds:
# %%
from crashcourse.datasets import scenes


def with_a_cell(boxes: Tensor, cells: int) -> int:
    """How many of the objects of one scene a grid can learn."""
    return int(encode_cells(boxes, cells, 112)[..., 4].sum())


crowded = {"objects": (10, 14), "sides": (0.1, 0.3)}
crowds = scenes(40, seed=21, size=112, split="test", **crowded)
here = [target["boxes"] for target in held_out.targets]
there = [scene.boxes for scene in crowds]
for name, known in {"these scenes": here, "crowds": there}.items():
    for cells in (7, 14):
        lost = 1 - sum(with_a_cell(b, cells) for b in known) / sum(map(len, known))
        print(f"{name:13} {cells:2}×{cells:<2} cells: {lost:5.1%} of the objects lost")
# %% [markdown]
# Flocks of small birds are the paper's own example of what YOLO cannot do.
#
# ## Who is responsible?
# A cell has two boxes and one object. Which box learns it? If both did, they would end
# up alike, and the second would be wasted. YOLO gives it to the box that **overlaps the
# object more already**. One may then become good at wide objects, and one at tall ones.
#
# **Exercise 4** (5 minutes). From IoUs to a mask.
# %% exercise="detection.responsible_box"
# %%
iou = torch.tensor([[[0.2, 0.7], [0.0, 0.0]]])  # (1, 2, 2): a row of two cells
print(responsible_box(iou, torch.tensor([[True, False]])))
# %% [markdown]
# ## The loss
# Everything is a regression, so everything is a squared difference. Of the paper's
# equation 3 here are the five terms in words. Of each pair, the one with a hat is what
# the network says, the one without is the goal; p is 1 for the right class, else 0:
#
# | term | over | what | weight |
# |---|---|---|---|
# | `xy` | responsible boxes | (x − x̂)² + (y − ŷ)² | λ_coord = 5 |
# | `wh` | responsible boxes | (√w − √ŵ)² + (√h − √ĥ)² | λ_coord = 5 |
# | `object` | responsible boxes | (confidence − IoU)² | 1 |
# | `no_object` | **all other boxes** | confidence² | λ_noobj = 0.5 |
# | `classes` | cells with an object | Σ (p − p̂)² over classes | 1 |
#
# "All other boxes" includes the second box of a cell *with* an object. The IoU is a
# number to aim at: no gradient flows through it. Terms are summed over an image.
#
# ### Why roots?
# An error of 0.05 in the width, on a small box and on a large one:
# %%
rows = []
for true, wrong in ((0.1, 0.15), (0.8, 0.85)):
    plain, roots = (true - wrong) ** 2, (true**0.5 - wrong**0.5) ** 2
    numbers = [f"{true / wrong:.2f}", f"{plain:.4f}", f"{roots:.4f}"]
    rows.append([f"{wrong} for {true}", *numbers])
headers = ["width", "IoU", "(w − ŵ)²", "(√w − √ŵ)²"]
show_table(rows, headers, "The same slip on a small and on a large box")
# %% [markdown]
# In IoU the small box loses far more. Plain squares cannot tell the two apart; with
# roots the small one counts more than six times as much. (It is a rough remedy. CIoU,
# below, takes the IoU itself.)
#
# ### One image by hand
# A grid of 2×2 cells, two boxes each, three classes; an image of 100×100 with one
# object of class 2. The cell on the upper right holds its centre. What that cell says,
# and what all the others say (confidence 0.1, nothing else):
# %%
thing, kind = torch.tensor([[60.0, 10, 80, 60]]), torch.tensor([2])
xy = torch.zeros(2, 2, 2, 2)  # row, column, box, (x, y)
root_wh, confidence = torch.zeros(2, 2, 2, 2), torch.full((2, 2, 2), 0.1)
scores = torch.zeros(2, 2, 3)
xy[0, 1] = torch.tensor([[0.5, 0.5], [0.4, 0.9]])  # the two boxes of the upper right
root_wh[0, 1] = torch.tensor([[0.5, 0.7], [0.3, 0.3]])
confidence[0, 1] = torch.tensor([0.6, 0.3])
scores[0, 1] = torch.tensor([0.1, 0.2, 0.7])
goal = encode_cells(thing, 2, 100)  # (2, 2, 5)
print("goal: x, y, w, h =", [round(value, 2) for value in goal[0, 1, :4].tolist()])
# %%
from crashcourse.detection import box_iou

read, _ = decode_cells(xy, root_wh, confidence, scores, 100)  # (8, 4)
both = read[2:4]  # the boxes of the upper right cell: row by row, cell by cell
fig, axes = figure(height=2.6)
axes.set(xlim=(0, 100), ylim=(100, 0), aspect="equal", xticks=[0, 50, 100])
axes.set_yticks([0, 50, 100])
colours = {"object": "vermilion", "box 0": "blue", "box 1": "sky"}
for number, (name, colour) in enumerate(colours.items()):
    draw_box(axes, [*thing, *both][number].tolist(), colour)
    axes.text(104, 20 + 20 * number, name, color=COLOURS[colour])
show(fig, alt="One tall object; box 0 covers most of it, box 1 a small part.")
overlaps = box_iou(both, thing)[:, 0]  # (2,)
print("IoU with the object:", [round(value, 3) for value in overlaps.tolist()])
# %% [markdown]
# Box 0 overlaps more, so box 0 is responsible. Which of the five terms is the largest?
# Guess; then each, number by number.
# %% tags=["guess"]
best = overlaps[0].item()
by_hand = {
    "xy": 5 * ((0.5 - 0.4) ** 2 + (0.5 - 0.7) ** 2),
    "wh": 5 * ((0.5 - 0.2**0.5) ** 2 + (0.7 - 0.5**0.5) ** 2),
    "object": (0.6 - best) ** 2,
    "no_object": 0.5 * (0.3**2 + 6 * 0.1**2),  # box 1, and six boxes of other cells
    "classes": (0.1 - 0) ** 2 + (0.2 - 0) ** 2 + (0.7 - 1) ** 2,
}
print("by hand:")
for name, value in by_hand.items():
    print(f"{name:9} {value:.4f}")
print(f"together  {sum(by_hand.values()):.4f}")
# %% [markdown]
# The centre is off by a tenth and a fifth of a cell, and with λ_coord that is half of
# the loss. The size is nearly right.
#
# **Exercise 5** (15 minutes). The same for any grid.
# %% exercise="detection.yolo_terms"
# %%
iou = torch.zeros(2, 2, 2)  # row, column, box
iou[0, 1] = overlaps
mine = responsible_box(iou, goal[..., 4] == 1)
named = torch.zeros(2, 2, 3)
named[0, 1, 2] = 1
yours = yolo_terms(xy, root_wh, confidence, scores, goal, named, iou, mine)
# %% [markdown]
# And the package's own, which takes the output in one piece, as a network gives it:
# %%
from crashcourse.detection import stack_targets, yolo_v1_loss

tiny = Grid(cells=2, boxes=2, classes=3)
parts = scores, confidence, torch.cat([xy, root_wh], -1).flatten(2)
output = torch.cat(parts, -1)[None]  # (1, 2, 2, 13)
truth = stack_targets([encode_targets(thing, kind, tiny, (100, 100))])
package = yolo_v1_loss(output, truth, tiny)._asdict()
rows = [
    [name, *(f"{float(one[name]):.4f}" for one in (by_hand, yours, package))]
    for name in by_hand
]
show_table(rows, ["term", "by hand", "yours", "package"], "Five terms of one image")
# %%
equal = all(abs(by_hand[name] - float(package[name])) < 1e-6 for name in by_hand)
print("the package equals the hand:", equal)
# %% [markdown]
# ### Why 5 and 0.5?
# %% exercise="yolo.why_no_object"
# %% [markdown]
# The paper sets the two numbers. What our small network does with both at 1 is a
# question for the study at the end.
#
# ## The network
# The paper's: 24 convolutions, among them 1×1 reductions as in GoogLeNet, then two
# dense layers, so that every cell sees the whole image. Drawn from the live module:
# %%
from crashcourse.detection import small_yolo, yolo_v1
from crashcourse.figures import network_diagram
from crashcourse.inspection import count_macs, count_parameters

with torch.device("meta"):  # shapes without numbers
    paper = yolo_v1()
network_diagram(paper, (3, 448, 448), by="stage", title="YOLO v1")
# %% [markdown]
# It first learned to classify ImageNet, for about a week. We have a minute. The small
# one takes 4×4 pixels at a time and works on small maps from there on. In place of the
# dense layers it has a 1×1 convolution: a cell sees only what its receptive field
# covers. Count it as in lesson 10: 84 of 112 pixels along a side.
# %%
small = small_yolo()
network_diagram(small, (3, 112, 112), title="small YOLO")
# %%
rows = []
for name, network, side in (("YOLO v1", paper, 448), ("small YOLO", small, 112)):
    macs = count_macs(network, (3, side, side)) / 1e6
    cells, numbers = network.grid.cells, network.grid.channels
    shape = f"{cells}×{cells}×{numbers}"
    rows.append([name, side, shape, count_parameters(network), round(macs)])
headers = ["network", "image", "output", "parameters", "million MACs"]
show_table(rows, headers, "The paper's network and the small one")
# %% [markdown]
# ## The run
# 2000 scenes, eight epochs, from random weights. Here is the whole of the training
# step:
# %%
from crashcourse.figures import show_source
from crashcourse.recipes import train
from crashcourse.recipes.yolo import yolo_step

show_source(yolo_step)
# %%
run = train("yolo_scenes", progress=False)
model = run.model
# %% [markdown]
# mAP at an IoU of 0.5 on the 300 scenes it has not seen: what do you expect? (A network
# that knows nothing has 0.) Guess.
# %% tags=["guess"]
print("on 300 unseen scenes:")
claim("mAP at IoU 0.5", run.metrics["map50"], at_least=0.33)
measured("mean of ten IoUs, COCO", run.metrics["map"])
claim("recall, all answers", run.metrics["recall50"], at_least=0.75)
# %% [markdown]
# Recall counts every garment for which *some* answer of the right class fits, however
# low its score (from 0.01). So for most garments a fitting answer is somewhere in the
# list; what costs mAP are the wrong answers before it. Further down you will ask for a
# score of at least 0.1, and then only about half of the garments are found.
# %%
from crashcourse.figures import learning_curves

learning_curves(run.history, ["loss", "test_map50"])
# %% [markdown]
# The dashed curve is that of the first 50 unseen scenes alone, so it wobbles. The loss
# is still falling: eight epochs are few. Which of the five terms is the largest at the
# end? And which one *grows*?
# %% tags=["guess"]
fig, axes = figure(height=3.0)
epochs = range(1, len(run.history.epochs) + 1)
for name, colour in zip(by_hand, COLOURS.values(), strict=False):
    line = [epoch[name] for epoch in run.history.epochs]
    axes.plot(epochs, line, "o-", color=colour, label=name, markersize=4)
axes.set(xlabel="epoch", ylabel="term of the loss", ylim=(0, None))
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
print("the five terms, epoch by epoch:")
show(fig, alt="The term of classes stays the largest; that of no_object grows.")
# %% [markdown]
# Do not read more into their order than there is: the terms have different weights, and
# count different things. How often the class is wrong, and how often the place, you
# will count below. `no_object` begins low, since a fresh network says 0 everywhere. As
# cells learn to be sure, their neighbours become sure too, of the same garment. And
# `object` hardly moves: `xy` and `wh` fall, so boxes fit better, so the IoU that a
# confidence has to reach rises. It follows a goal that moves away.
#
# ### Before and after suppression
# One scene in, 98 boxes out. Of 60 scenes here are the four in which NMS drops most.
# Above, all answers with a score of at least 0.1; below what NMS leaves.
# %%
from crashcourse.detection import predict

some = held_out.images[:60].float() / 255  # (60, 3, 112, 112)
before = predict(model, some, model.grid, least_score=0.1, iou_threshold=1.0)
after = predict(model, some, model.grid, least_score=0.1, iou_threshold=0.5)
drops = [len(b["boxes"]) - len(a["boxes"]) for b, a in zip(before, after, strict=True)]
four = torch.tensor(drops).argsort(descending=True, stable=True)[:4].tolist()
# %%
rows = [answers[place] for answers in (before, after) for place in four]
boxes_on_images(
    held_out.images[four].repeat(2, 1, 1, 1),
    [row["boxes"] for row in rows],
    [row["labels"] for row in rows],
    titles=["before NMS"] * 4 + ["after NMS"] * 4,
    columns=4,
    alt="Four scenes twice: many boxes above, fewer after NMS below.",
)
# %% [markdown]
# Colours are classes: tops are vermilion, trousers light blue, dresses yellow, shoes
# green, bags pink. Both boxes of a cell, and neighbouring cells too, answer for the
# same garment. And a cell that is not sure of the class answers under two names:
# suppression goes class by class, so a garment may keep both. How much does suppression
# matter for the score?
# %% tags=["guess"]
from crashcourse.recipes.detector import detect, score_detections


def scored(iou_threshold: float) -> float:
    """mAP at IoU 0.5 on the unseen scenes, with another threshold of suppression."""

    def answers(model, images: Tensor) -> list[dict[str, Tensor]]:
        options = {"least_score": 0.01, "iou_threshold": iou_threshold}
        return predict(model, images, model.grid, **options)

    found = detect(answers, model, held_out)
    return score_detections(found, held_out, whole=False)["map50"]


without = scored(1.0)
print("the same boxes, suppressed and not:")
measured("mAP at 0.5 without NMS", without)
claim("what NMS adds", run.metrics["map50"] - without, at_least=0.03)
# %% [markdown]
# ## Where it fails
# Look at every garment of the 300 scenes and ask what became of it (the kinds are
# after Hoiem et al., 2012). Answers count from a score of 0.1.
#
# - *found*: a box of its class has an IoU of at least 0.5 with it;
# - *wrong class*: a box does, but under another name;
# - *badly placed*: a box of its class reaches an IoU of 0.1, but not 0.5 (or it does,
#   and has found another garment already);
# - *not seen*: none of these.
# %%
from crashcourse.detection import why_missed
from crashcourse.detection.failures import KINDS

fates, sides, alone = [], [], []
for part in held_out.images.float().div(255).split(50):
    for found in predict(model, part, model.grid, least_score=0.1):
        known = held_out.targets[len(fates)]
        fates.append(why_missed(found, known))
        wh = known["boxes"][:, 2:] - known["boxes"][:, :2]
        sides += wh.prod(1).sqrt().tolist()  # pixels
        meets = box_iou(known["boxes"], known["boxes"]).fill_diagonal_(0) > 0
        alone += (~meets.any(1)).tolist()
every = [fate for fates_of_scene in fates for fate in fates_of_scene]
print(len(every), "garments:")
for kind in KINDS:
    measured(f"{kind:13}", every.count(kind) / len(every))
# %% [markdown]
# More than half of the misses here are garments not seen at all; a wrong class is more
# frequent than a bad place. The paper names two weak points: small objects, and groups.
# Split the garments by size into three equal parts, and, apart from that, by whether a
# garment's box meets another's (their IoU is above 0). Where will it find fewer?
# %% tags=["guess"]
order = torch.tensor(sides).argsort().argsort() * 3 // len(sides)  # 0, 1 or 2
groups = {
    "smallest third": order == 0,
    "middle third": order == 1,
    "largest third": order == 2,
    "meets another": ~torch.tensor(alone),
    "stands alone": torch.tensor(alone),
}
shares = {}
for name, members in groups.items():
    own = [every[place] for place in members.nonzero()[:, 0].tolist()]
    shares[name] = [own.count(kind) / len(own) for kind in KINDS]
fig, axes = figure(height=2.8)
left = torch.zeros(len(groups))
for place, colour in enumerate(("green", "orange", "sky", "black")):
    wide = torch.tensor([100 * share[place] for share in shares.values()])
    bar = {"color": COLOURS[colour], "label": KINDS[place]}
    axes.barh(list(groups), wide, left=left, **bar)
    left = left + wide
axes.invert_yaxis()
axes.set(xlabel="of the garments (%)", xlim=(0, 100))
axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4)
print("what became of them:")
show(fig, alt="Bars by group: small garments are found less often than large ones.")
# %%
found = {name: share[0] for name, share in shares.items()}
by_size = found["largest third"] - found["smallest third"]
by_company = found["stands alone"] - found["meets another"]
claim("found, large − small", by_size, at_least=0.12)
claim("found, alone − meeting", by_company, at_least=0.05)
# %% [markdown]
# The scenes in which most was missed: what is said above, what is there below. The
# colours are those of before.
# %%
missed = torch.tensor([sum(f != KINDS[0] for f in fate) for fate in fates])
worst = missed.argsort(descending=True, stable=True)[:4]
said = predict(model, held_out.images[worst].float() / 255, model.grid, least_score=0.1)
true = [held_out.targets[place] for place in worst.tolist()]
boxes_on_images(
    held_out.images[worst].repeat(2, 1, 1, 1),
    [one["boxes"] for one in [*said, *true]],
    [one["labels"] for one in [*said, *true]],
    titles=["said"] * 4 + ["there"] * 4,
    columns=4,
    alt="The four scenes with most misses; above what was said, below what is there.",
)
# %% [markdown]
# ## From version 2 to version 5
# The grid has stayed. Nearly everything else has changed:
# %%
from crashcourse.detection import VERSIONS

columns = ["name", "year", "source", "backbone", "boxes", "classes"]
rows = [[str(getattr(version, name)) for name in columns] for version in VERSIONS]
show_table(rows, columns, "Five versions of YOLO")
rows = [[version.name, version.changes, version.result] for version in VERSIONS]
show_table(rows, ["name", "what changed", "result, as published"], "What each brought")
# %% [markdown]
# The results are on different data and at different sizes: do not compare them down the
# list. Some words of the table. *Passthrough*: finer maps of an earlier stage are laid
# beside the last ones. SPP (*spatial pyramid pooling*): one map max-pooled with windows
# of several sizes, side by side. PAN (*path aggregation network*): maps of all scales
# are joined from coarse to fine and back. Mish: the activation x · tanh(softplus(x)).
# *Mosaic*: four training images in one. CSP (*cross-stage partial*, in CSPDarknet53 and
# the C3 block): one part of the channels goes around a stage's blocks. *Focus*: each
# 2×2 pixels become one place with four times the channels.
#
# Four of the changes are small enough to try here.
#
# ### Anchors from the data (v2)
# v1 must learn from nothing that shoes are wide and trousers tall. Version 2 starts
# every box from a shape, an *anchor*, and learns what to change. Which shapes? Those
# that the data has: k-means on widths and heights, with 1 − IoU as the distance. Why
# not the plain distance?
# %%
from crashcourse.detection import anchors_by_k_means, shape_iou

for side in (10.0, 100.0):
    pair = torch.tensor([[side, side], [side + 5, side + 5]])
    fit = shape_iou(pair[:1], pair[1:]).item()
    far = torch.dist(*pair).item()
    print(f"{side:3.0f} and {side + 5:3.0f} wide: distance {far:.1f}, IoU {fit:.2f}")
# %% [markdown]
# The plain distance would spend its anchors on large boxes. Five anchors for the
# garments of our training scenes; each dot is a garment, in the colour of its anchor:
# %%
training = detection_data(laptop, "train")
sizes = torch.cat([t["boxes"][:, 2:] - t["boxes"][:, :2] for t in training.targets])
anchors = anchors_by_k_means(sizes, 5)
nearest = shape_iou(sizes, anchors).argmax(1)
fig, axes = figure(height=3.4)
for place, colour in zip(range(5), COLOURS.values(), strict=False):
    width, height = sizes[nearest == place][:250].T
    axes.plot(width, height, ".", color=colour, alpha=0.5, markersize=4)
    axes.plot(*anchors[place], "s", color=colour, markersize=11, mec="white")
axes.set(xlabel="width (pixels)", ylabel="height (pixels)", aspect="equal")
show(fig, alt="Widths and heights of garments in five groups, an anchor in each.")
# %% [markdown]
# How well does the nearest anchor fit, in the mean, for 1 to 9 anchors? Guess the IoU
# for one and for five.
# %% tags=["guess"]
print("mean IoU with the nearest anchor:")
for count in (1, 2, 3, 5, 9):
    fit = shape_iou(sizes, anchors_by_k_means(sizes, count)).amax(1).mean().item()
    print(f"{count} anchors: {fit:.2f}")
# %% [markdown]
# Version 2 took five: 0.61 on VOC 2007 (its table 1), where shapes differ more than
# our garments do.
#
# ### How far may a box move? (v2 and v5)
# The network's raw numbers t are unbounded. Version 2 turns them into a centre that
# stays in its cell, σ(t), and a size that is the anchor times exp(t). Version 5 takes
# 2σ(t) − 0.5, and (2σ(t))²:
# %%
from crashcourse.detection import decode_v2, decode_v5

raw = torch.linspace(-6, 6, 121)
four, origin, unit = raw[:, None].expand(-1, 4), torch.zeros(2), torch.ones(121, 2)
fig, (left, right) = figure(1, 2, height=2.8)
for name, decode, colour in (("v2", decode_v2, "blue"), ("v5", decode_v5, "vermilion")):
    read = decode(four, origin.expand(121, 2), unit)  # (121, 4): cx, cy, w, h
    left.plot(raw, read[:, 0], color=COLOURS[colour], label=name)
    right.plot(raw, read[:, 2], color=COLOURS[colour], label=name)
left.set(xlabel="t", ylabel="centre (cells)", ylim=(-0.6, 1.6))
right.set(xlabel="t", ylabel="size (anchors)", ylim=(0, 6))
left.legend()
show(fig, alt="v5's centre leaves the cell by half a cell; its size ends at 4 anchors.")
# %% [markdown]
# Two gains. A centre on the border of a cell needs t = ±∞ in version 2, and ±1.1 in
# version 5. And exp has no upper bound: one wild t makes a box, and a gradient, without
# limit.
#
# ### Who learns an object? (v5)
# In v1 one box of one cell learns an object. Since a centre may leave its cell, version
# 5 lets the two nearest *neighbouring cells* learn it too, with every anchor whose
# sides differ from the object's by less than a factor of 4. For one garment with its
# centre in row 1 (y = 1.7), column 2 (x = 2.2):
# %%
from crashcourse.detection import cells_v5, match_v5

place = torch.tensor([[2.2, 1.7]])
print("cells (row, column):", [cell[1:] for cell in cells_v5(place, 7)])
corners = torch.cat([target["boxes"] for target in training.targets])
centres = (corners[:, :2] + corners[:, 2:]) / 2 / 16  # in cells of 16 pixels
answers = len(cells_v5(centres, 7)) / len(centres)
matched = match_v5(sizes, anchors).sum(1).float().mean().item()
print(f"a garment of these scenes: {answers:.1f} cells with {matched:.1f} anchors each")
# %% [markdown]
# Our garments are so alike in size that all five anchors pass. So an object is learned
# in more than ten places instead of one. That is more to learn from in each step; the
# copies that follow are left to NMS.
#
# ### A loss that is the measure: CIoU (v4)
# Roots are a rough remedy. Why not 1 − IoU itself? Because it is flat where boxes do
# not meet (lesson 20). GIoU, there, takes off the share of the box around both that
# neither covers. *Complete* IoU (Zheng et al., 2019) takes two other things off:
#
# $$\text{CIoU} = \text{IoU} - \frac{\rho^2}{c^2} - \alpha v, \qquad
# v = \frac{4}{\pi^2} \left(\arctan \frac{w}{h} - \arctan
# \frac{\hat w}{\hat h}\right)^2, \qquad
# \alpha = \frac{v}{1 - \text{IoU} + v}$$
#
# ρ is the distance of the centres, c the diagonal of the box around both, v the
# difference in shape. An object of 20×20, and four boxes:
# %%
from crashcourse.detection import complete_box_iou, generalized_box_iou

thing = torch.tensor([[40.0, 40, 60, 60]])
candidates = {
    "inside, in the middle": [45.0, 45, 55, 55],
    "inside, in a corner": [40.0, 40, 50, 50],
    "inside, a strip": [40.0, 47.5, 60, 52.5],
    "outside": [70.0, 40, 90, 60],
}
three = box_iou, generalized_box_iou, complete_box_iou
rows = []
for name, corners in candidates.items():
    box = torch.tensor([corners])
    measures = [measure(box, thing).item() for measure in three]
    rows.append([name, *(f"{value:.3f}" for value in measures)])
show_table(rows, ["box", "IoU", "GIoU", "CIoU"], "Three measures of the same boxes")
# %% [markdown]
# IoU and GIoU cannot tell the first three apart: each covers a quarter. CIoU prefers
# the one in the middle with the right shape, and so its gradient says where to go.
#
# ### Sizes
# Version 5 comes in four sizes, one network in four depths and widths (compare lesson
# 17). As its README prints them at tag v5.0, for images of 640×640; FLOPs are two for
# each multiply-add:
# %%
from crashcourse.detection.yolo_versions import V5_SIZES

rows = [
    [name, f"{size.parameters}", f"{size.flops}", f"{size.ap}", f"{size.ap50}"]
    for name, size in V5_SIZES.items()
]
headers = ["YOLOv5", "million parameters", "billion FLOPs", "AP", "AP at 0.5"]
show_table(rows, headers, "COCO")
# %% [markdown]
# ## What the λ are worth
# A study trained three forms for longer, on harder scenes, with small garments and
# clutter: the paper's (`per_cell`), one with class scores for each box (`per_box`), and
# one with both λ at 1 (`equal`), so that boxes count a fifth, and empty ones twice.
# %%
from crashcourse.recipes import gpu_cell, show_record

show_record("yolo_scenes", "study")
# %% [markdown]
# **With both λ at 1** the network finds
# {record:yolo_scenes.study.equal.recall50:.0%} of the objects, not
# {record:yolo_scenes.study.per_cell.recall50:.0%}, and of small ones its average
# precision is {record:yolo_scenes.study.equal.map50_small:.3f} in place of
# {record:yolo_scenes.study.per_cell.map50_small:.3f}: each of that with every seed. The
# boxes that it does give are as good for large objects, so over all sizes little is
# lost. **Class scores for each box** gain nothing here: they came in version 2 together
# with anchors, which these networks do not have, and their seeds scatter more.
#
# ## Full scale
# With a GPU the next cell trains a larger network on 20,000 scenes of 224×224 pixels
# with up to twelve garments, on a grid of 14×14. Elsewhere it shows the record, if
# there is one.
# %%
gpu_cell("yolo_scenes")
# %% [markdown]
# And the same network on photographs: PASCAL VOC 2007, once you have fetched it with
# `crashcourse download voc2007`. (The paper's 63.4 needs the large network, pretrained
# on ImageNet, and VOC 2012 besides. Expect far less from 5011 photographs alone.)
# %%
gpu_cell("yolo_voc")
# %% [markdown]
# ## What changed since
# Anchors are on their way out: YOLOX (Ge et al., 2021) has none, and lets each cell
# say its box directly again, as v1 did, with better rules for who learns what. YOLOv10
# (Wang et al., 2024) is trained to say each object once and needs no NMS. What is left
# of 2015 is the idea in the name.
#
# *References:* J. Redmon, S. Divvala, R. Girshick, A. Farhadi, "You only look once",
# 2015, arXiv 1506.02640. J. Redmon, A. Farhadi, "YOLO9000", 2016, arXiv 1612.08242, and
# "YOLOv3", 2018, arXiv 1804.02767. A. Bochkovskiy, C.-Y. Wang, H.-Y. M. Liao, "YOLOv4",
# 2020, arXiv 2004.10934. YOLOv5: repository `ultralytics/yolov5`, tag v5.0. Z. Zheng et
# al., "Distance-IoU loss", 2019, arXiv 1911.08287. Z. Ge et al., "YOLOX", 2021, arXiv
# 2107.08430. A. Wang et al., "YOLOv10", 2024, arXiv 2405.14458. D. Hoiem, Y.
# Chodpathumwan, Q. Dai, "Diagnosing error in object detectors", ECCV 2012.
