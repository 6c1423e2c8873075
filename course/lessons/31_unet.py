# ---
# jupyter:
#   crashcourse:
#     title: U-Net
#     part: segmentation
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 80
#     needs: [10, 13]
#     about:
#     - segmentation.unet
#     - segmentation.tiling
#     - segmentation.weights
#     - segmentation.resunet
#     - recipes.unet
# ---
# %% [markdown]
# # Cells that touch
# Give every pixel a class, and you know where the cells are. You do not know *which* is
# which: two that touch come out as one. In about 80 minutes you will build U-Net, a
# network for pictures that hold hundreds of cells and come in tens, not in thousands.
# You will give its loss a map of where to look, cut large pictures into tiles without
# leaving a seam, and count cells in place of pixels.
# %%
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, image_grid, show, show_table
from crashcourse.figures.segments import painted

# %% [markdown]
# ## The problem: a thin line
# The pictures of this lesson are drawn. They look a little like cells under a
# differential interference contrast microscope (DIC): grey, lit from one side, noisy.
# The truth numbers every cell. Between cells that touch, it has a line of background,
# about two pixels wide.
# %%
from crashcourse.datasets import cells

some = cells(4, seed=31, split="test")
print(some, tuple(some.images.shape), tuple(some.instances.shape))
alt = "Above four grey pictures of cells, below their cells, each in a colour."
image_grid(
    [*(some.images / 255), *painted(some.instances)],
    columns=4,
    alt=alt,
)
# %% [markdown]
# Is a threshold enough? Try all of them, and keep the best. *IoU*, intersection over
# union, is what both masks share, divided by what either has.
# %%
grey, truth = some.images[:, 0], some.masks.bool()  # both (4, 128, 128)


def iou(a: Tensor, b: Tensor) -> float:
    return ((a & b).sum() / (a | b).sum()).item()


best = max(iou(grey > level, truth) for level in range(0, 256, 4))
print(f"best threshold: IoU {best:.2f}")
print(f"everything is a cell: IoU {iou(torch.ones_like(truth), truth):.2f}")
# %% [markdown]
# No better than calling all of it a cell: inside and outside have the same grey. A
# network will do better. But what should it be good at? Suppose it got *every* pixel
# right but those of the thin lines, which it fills. Which part of the pixels is right?
# And of the cells that touch another, how many still have an object of their own?
# Guess both.
# %%
from crashcourse.segmentation import label_objects, separate_cells


def filled(mask: Tensor) -> Tensor:
    """A mask (H, W) with its thin lines closed: grow by two pixels, then shrink."""
    grown = F.max_pool2d(mask[None, None].float(), 5, stride=1, padding=2)
    return -F.max_pool2d(-grown, 5, stride=1, padding=2)[0, 0] > 0


# %% tags=["guess"]
print("the truth with its lines filled:")
closed = torch.stack([filled(mask) for mask in truth])
counts = [
    separate_cells(label_objects(mask), cells_)
    for mask, cells_ in zip(closed, some.instances, strict=True)
]
own, touching = torch.tensor(counts).sum(0).tolist()
print(f"pixels that are right: {(closed == truth).float().mean():.1%}")
print(f"touching cells with an object of their own: {own} of {touching}")
# %%
objects = torch.stack([label_objects(mask) for mask in closed])
alt = "The same cells with lines filled: most have run together into large blots."
image_grid([*painted(objects)], columns=4, alt=alt)
# %% [markdown]
# So there are two things to learn. The network must be exact to a pixel or two, or it
# cannot draw such lines. And the loss must care about them, although they are few.
#
# ## Down to see far, up to see sharp
# To know that a pixel lies in a cell, a network must see the cell: tens of pixels. Max
# pooling (lesson 10) widens the view cheaply. What does it lose? Here are two pictures,
# with an edge in different places:
# %%
left = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]])[None]  # (1, 2, 4)
right = torch.tensor([[0.0, 0, 0, 1], [0, 0, 0, 1]])[None]
for name, picture in (("left", left), ("right", right)):
    print(f"{name:5} pooled: {F.max_pool2d(picture, 2).tolist()}")
# %% [markdown]
# The same. After one pooling the edge may lie in either of two places, after four in
# any of sixteen. No layer behind can tell. So U-Net (Ronneberger et al., 2015) goes
# down and comes back up. On the way down it remembers the map of each level before it
# pools. On the way up it enlarges the map, twofold each time, and lays the remembered
# one beside it: *what* from below, *where* from the side. That is a **skip**.
#
# ### Beside, not on top
# ResNet's shortcut (lesson 13) adds. U-Net *concatenates*: the maps lie side by side as
# channels. One pixel, two channels from below and two from the skip:
# %%
below, skip = torch.tensor([5.0, 1.0]), torch.tensor([-5.0, 2.0])
print("added:       ", (below + skip).tolist())
print("concatenated:", torch.cat([skip, below]).tolist())
# %% [markdown]
# After adding nobody knows that there were a 5 and a −5. After concatenating, the next
# convolution sees both, and can still add them, with weights of 1 and 1. It has to read
# twice as many channels for that.
#
# ### Enlarging, learned
# A **transposed convolution** of 2×2, with a stride of 2, makes four pixels of each:
# its value times each of the four weights of the kernel. With several channels it sums
# over those that come in, as any convolution does, and adds a bias. As a layer it is
# `nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)`. Two pixels, enlarged:
# %%
two_pixels = torch.tensor([[[[1.0, 10]]]])  # (1, 1, 1, 2)
kernel = torch.tensor([[[[1.0, 2], [3, 4]]]])  # (in, out, 2, 2)
print(F.conv_transpose2d(two_pixels, kernel, stride=2)[0, 0].tolist())  # (2, 4)
# %% [markdown]
# ### No zeros from outside
# U-Net's 3×3 convolutions are **valid**: they answer only where they see nine real
# pixels. Each takes one pixel off every side. Two convolutions a level, and then a
# pooling that halves; on the way up a transposed convolution doubles, and two more
# convolutions follow. The paper starts with 572:
# %%
side, sides = 572, []
for level in range(5):
    side = side - 4 if level == 0 else side // 2 - 4
    sides.append(side)
print("down:", sides)
for skip_side in sides[-2::-1]:
    raised = 2 * side
    side = raised - 4
    print(f"up: enlarged to {raised}, its skip is {skip_side}, after both: {side}")
# %% [markdown]
# What comes over a skip is larger than what comes from below. They show the same part
# of the picture only where the *middle* of the skip is cut out: what is lost has been
# lost evenly on all sides.
#
# **Exercise 1** (12 minutes). Write one step up.
# %% exercise="segmentation.up_block"
# %% [markdown]
# Against the package's block, with its weights:
# %%
from crashcourse.segmentation import UpBlock

torch.manual_seed(0)
theirs, mine = UpBlock(32, 16, 16), Up(32, 16, 16)
tensors = dict(zip(mine.state_dict(), theirs.state_dict().values(), strict=True))
mine.load_state_dict(tensors)
deep, fine = torch.randn(1, 32, 12, 12), torch.randn(1, 16, 30, 30)
print("out:", tuple(mine(deep, fine).shape))  # (1, 16, 20, 20)
print("the same:", torch.allclose(mine(deep, fine), theirs(deep, fine), atol=1e-5))
# %% exercise="unet.why_concatenate"
# %% [markdown]
# ### The whole network
# Drawn from the live module. Blue maps lie on the way down, orange ones on the way up.
# Arrows that point to the right and down pool, those that end upwards enlarge; numbers
# over the grey arrows are the sides of a skip, before and after its crop.
# %%
from crashcourse.figures.segments import u_diagram
from crashcourse.inspection import count_parameters, summarize
from crashcourse.segmentation import unet_2015

with torch.device("meta"):  # shapes without numbers
    network = unet_2015()
rows = summarize(network, (1, 572, 572))
shapes = {row.name: row.output_shape for row in rows}
down = [shapes[f"contracting.{level}.2"] for level in range(5)]
up = [shapes[f"expansive.{step}.convs.2"] for step in range(4)]
u_diagram(down, up, (1, 572, 572), shapes["scores"])
# %% [markdown]
# Where are its parameters, and where its multiply-adds (MACs)? Guess: at the top, or at
# the bottom?
# %% tags=["guess"]
parts: dict[str, list] = {}
for row in rows:
    if row.parameters:
        parts.setdefault(row.name.rsplit(".", 1)[0], []).append(row)
print("from the live network, at 572×572:")
lines = [
    [
        name,
        "×".join(map(str, part[-1].output_shape)),
        f"{sum(row.parameters for row in part) / 1e6:.2f}",
        f"{sum(row.macs for row in part) / 1e9:.1f}",
    ]
    for name, part in parts.items()
]
headers = ["part", "output (C×H×W)", "parameters (M)", "MACs (G)"]
show_table(lines, headers, "U-Net, 2015")
print(f"parameters: {count_parameters(network):,}")
print(f"MACs: {sum(row.macs for row in rows) / 1e9:.1f} G")
# %% [markdown]
# Nearly half of the parameters lie at the bottom, where maps are small and many. The
# MACs are spread about evenly: at each level, twice the channels on a quarter of the
# places. (In the table, `expansive.0` is the transposed convolution,
# `expansive.0.convs` what follows.)
#
# A pooling needs an even side. So not every picture fits, and this network says so:
# %%
from crashcourse.errors import CourseError

try:
    network(torch.empty(1, 1, 570, 572, device="meta"))
except CourseError as error:
    print(error)
# %% [markdown]
# ## Tiles without seams
# A picture of 508×508 would come out as 324×324: 92 pixels are missing on every side.
# And a picture of 5,000×5,000 does not fit into memory. One idea solves both, the
# **overlap-tile strategy**. Cut the *output* into tiles. For each tile, give the
# network the tile with 92 pixels around it. Inside of the picture these are its
# neighbours' pixels. Beyond its border they are the picture, *mirrored*; the pixel on
# the border is the mirror and is not repeated:
# %%
from crashcourse.segmentation import mirror_pad

row = torch.tensor([[[[1.0, 2, 3, 4]]]])  # (1, 1, 1, 4)
print(mirror_pad(row, 3)[0, 0, 0].int().tolist())
# %%
from crashcourse.figures.boxes import draw_box, draw_picture

large = cells(1, seed=8, size=256, split="test").images / 255  # (1, 1, 256, 256)
edge, size = 40, 128  # the margin, and the side of a tile, for this drawing
wide = mirror_pad(large, edge)[0, 0]  # (336, 336)
fig, axes = figure(width=4, height=4)
draw_picture(axes, wide[:, :, None].expand(-1, -1, 3))
draw_box(axes, [edge, edge, edge + 256, edge + 256], "yellow", width=1.5)
for x, y, colour in ((0, 0, "sky"), (128, 128, "orange")):
    draw_box(axes, [x, y, x + size + 2 * edge, y + size + 2 * edge], colour, style="--")
    draw_box(axes, [x + edge, y + edge, x + edge + size, y + edge + size], colour)
alt = (
    "A picture of cells in a yellow frame, continued by its mirror image; two tiles, "
    "each in a dashed window that is larger on all sides; the windows overlap."
)
show(fig, alt=alt)
# %% [markdown]
# Yellow is the picture; what lies outside is its mirror image. Two tiles are drawn, and
# dashed the windows that the network is given for them. *Windows overlap. Tiles lie
# side by side.*
#
# **Exercise 2** (12 minutes). Predict in tiles, for a picture of any size.
# %% exercise="segmentation.overlap_tile"
# %% [markdown]
# Is that the same as one pass over the whole mirrored picture? A small U-Net with two
# poolings takes 20 pixels away on every side. Its weights are random: what follows is a
# property of the architecture, not of training.
# %%
from crashcourse.segmentation import small_unet

torch.manual_seed(0)
small = small_unet(widths=(8, 16, 32)).eval()
print("margin:", small.margin)
print("windows that fit:", [side for side in range(84, 104) if small.fits(side)])


@torch.no_grad()
def one_pass(network: nn.Module, image: Tensor) -> Tensor:
    """The mirrored picture at once, (1, K, H, W): continued to a size that fits."""
    height, width = image.shape[2:]
    margin, spare = network.margin, network.stride  # on the right and below
    wide = mirror_pad(image, margin + spare)[:, :, spare:, spare:]
    high, long = (network.nearest_sides(s + 2 * margin)[1] for s in (height, width))
    return network(wide[:, :, :high, :long])[:, :, :height, :width]


# %%
pictures = {(128, 128): large[..., :128, :128], (101, 133): large[..., :101, :133]}
with torch.no_grad():
    for sides, picture in pictures.items():
        tiled = segment_in_tiles(small, picture, 44, small.margin)
        gap = (tiled - one_pass(small, picture)).abs().max()
        claim(f"{sides}, tiles of 44: largest difference", gap, at_most=1e-5)
# %% [markdown]
# The same to the last digits, whatever the size. Answer why:
# %% exercise="unet.why_no_seams"
# %% [markdown]
# ### A trap
# Tiles must not move the *poolings*. Our small network pools twice, so that whatever it
# does repeats every 4 pixels, its `stride`; and its tiles are multiples of 4. The
# network of 2015 pools four times: stride 16. Its windows are 572, 588, ..., and its
# tiles 388 = 16 · 24 + 4. Put the second tile 388 pixels further, and its poolings take
# other groups of pixels than one pass would. A narrow network of that depth, with its
# tiles of 100:
# %%
from crashcourse.segmentation import UNet, overlap_tile

torch.manual_seed(0)
deep = UNet(1, 2, widths=(4, 8, 8, 8, 8)).eval()
print("margin", deep.margin, " stride", deep.stride)
print("a tile of 100 fits:", deep.fits(100 + 2 * deep.margin))
whole = one_pass(deep, large)
with torch.no_grad():
    moved = segment_in_tiles(deep, large, 100, deep.margin)
placed = overlap_tile(deep, large, 100)  # the package's: tiles start every 96
measured("every 100 pixels: largest difference", (moved - whole).abs().max())
claim("every 96 pixels: largest difference", (placed - whole).abs().max(), at_most=1e-5)
# %% [markdown]
# The package's `overlap_tile` starts tiles at multiples of the stride, so that they
# overlap by four pixels. (The paper says nothing of this. With trained weights the
# difference is small, but it is there.)
#
# **By hand** (10 minutes), for the network of 2015:
# %% exercise="unet.shapes"
# %% [markdown]
# ## A loss that looks at lines
# Which output, which loss? There is a rule:
#
# - *One* class: one channel, a sigmoid, binary cross-entropy. "Not the class" needs no
#   channel of its own.
# - *Several* classes: a channel for each **and one for background**, a softmax over the
#   channels of a pixel, cross-entropy.
#
# U-Net has two channels, cell and background, and a softmax: by the rule one would do.
# What it adds is a **weight** w(x) for each pixel x. The loss is the mean over pixels
# of −w(x) · log p(x), where p(x) is the probability of the right class (equation 1;
# there it is a sum), and
#
# $$w(x) = w_c(x) + w_0 \cdot \exp\left(-\frac{(d_1(x) + d_2(x))^2}{2\sigma^2}\right)$$
#
# w_c balances the classes, if one is rare. d₁ is the distance to the border of the
# nearest cell, d₂ that to the second nearest, w₀ = 10, and σ ≈ 5 pixels (equation 2).
# Between two cells that touch both distances are small. Beside a cell that stands alone
# only the first is. Three cells in a row of pixels, numbered 1, 2, 3, with w_c = 1:
# %%
from crashcourse.segmentation import border_weight_map, cell_distances

line = torch.tensor([[1, 1, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 3]])
d1, d2 = cell_distances(line).topk(2, 0, largest=False).values[:, 0]  # both (14,)
show_table(
    [
        ["cell", *line[0].tolist()],
        ["d₁", *d1.int().tolist()],
        ["d₂", *d2.int().tolist()],
        ["w", *(f"{w:.1f}" for w in border_weight_map(line)[0].tolist())],
    ],
    [""] * 15,
    "The border weight map of a row",
)
# %% [markdown]
# In the line between 1 and 2 a pixel counts more than nine times as much as in a cell;
# between 2 and 3, which are eight apart, nearly four times. (Right beside cell 2 it is
# more: there the second nearest cell is 1.) The cells' own w is 1. As *printed*, the
# equation holds at every pixel, and would raise the edges of both cells as well. In the
# authors' own later code the second term is on background only, and so it is here: the
# lines are what is easily missed.
#
# **Exercise 3** (8 minutes). Write the map, from the distances to all cells.
# %% exercise="segmentation.border_weights"
# %%
weights = torch.stack(
    [border_weights(cell_distances(one), one, torch.ones(2)) for one in some.instances]
)  # (4, 128, 128)
package = border_weight_map(some.instances)
print("as in the package:", torch.allclose(weights, package, atol=1e-4))
heavy = weights > 5
print(f"pixels with w above 5: {heavy.float().mean():.1%}")
print(f"their part of all weight: {weights[heavy].sum() / weights.sum():.1%}")
# %%
fig, panels = figure(1, 3, height=2.5, width=6.6)
draw_picture(panels[0], some.images[1].permute(1, 2, 0).expand(-1, -1, 3) / 255)
draw_picture(panels[1], painted(some.instances[1]).permute(1, 2, 0))
drawn = panels[2].imshow(weights[1], cmap="inferno", vmin=0, vmax=11)
fig.colorbar(drawn, ax=panels[2], shrink=0.8)
for axes, title in zip(panels, ("picture", "cells", "weight w"), strict=True):
    axes.set_axis_off()
    axes.set_title(title, size=11)
alt = "Cells, and their weight map: bright lines where two cells touch, dark elsewhere."
show(fig, alt=alt)
# %% [markdown]
# ## The run
# A small U-Net with two poolings and 8, 16 and 32 channels, five times through 120
# pictures, each mirrored by 20 pixels on every side. It is scored on 40 others, in four
# ways. *Mean IoU* is of pixels, the mean of cells and background. The others count
# objects, the connected parts of what the network calls cell:
#
# - **F1**: an object matches a cell if their IoU is above 0.5. F1 is twice the matches,
#   divided by objects plus cells.
# - **separate**: of the cells that touch another, the part with an object of its own.
# - **SEG**: the mean IoU of each cell with the object that covers more than half of it,
#   0 where there is none (the measure by which U-Net was judged).
# %%
from crashcourse.recipes import train

run = train("unet_cells", progress=False)
# %%
from crashcourse.figures import learning_curves

learning_curves(run.history, ["loss", "test_f1", "test_seg"])
# %% [markdown]
# Now the same network, from the same weights, on the same batches, with w = 1
# everywhere. How will the scores change: of pixels, and of cells? Guess.
# %%
plain = train("unet_cells", variant="plain", progress=False)
# %% tags=["guess"]
print("with the map, and without:")
for name in ("f1", "separate", "seg", "mean_iou"):
    with_map, without = run.metrics[name], plain.metrics[name]
    print(f"{name:9} {approximately(with_map)}, {approximately(without)}")
# %%
claim("F1 with the map", run.metrics["f1"], at_least=0.75)
claim("F1, with − without", run.metrics["f1"] - plain.metrics["f1"], at_least=0.15)
separate = run.metrics["separate"] - plain.metrics["separate"]
claim("separate, with − without", separate, at_least=0.2)
worse = plain.metrics["mean_iou"] - run.metrics["mean_iou"]
claim("mean IoU, without − with", worse, at_least=0.005)
# %% [markdown]
# By pixels the map does *harm*: the network draws lines too wide, because a pixel of a
# line that it misses costs as much as nine of a cell. By cells it makes the difference.
# Which of the scores is right? The one that answers your question.
# %%
from crashcourse.recipes.unet import LEAST, cell_pictures, segment

test = cell_pictures("test", 40, 128)
models = {"with map": run.model, "without": plain.model}
found = {name: segment(model, test.images) for name, model in models.items()}


def parted(mask: Tensor) -> Tensor:
    """The objects of a mask, numbered; specks are left out."""
    return label_objects(mask, least=LEAST)


pictures, titles = [], []
for n in (3, 11):
    pictures += [test.images[n].expand(3, -1, -1) / 255, painted(test.instances[n])]
    pictures += [painted(parted(masks[n])) for masks in found.values()]
    titles += ["picture", "truth", *found]
alt = "Two pictures, their cells, and the objects found: many; without the map, merged."
image_grid(pictures, titles, columns=4, alt=alt)
# %% [markdown]
# One run each proves little. The record has more seeds, and takes the network apart:
# zeros in place of valid convolutions (`padded`), skips added (`added`), no skips at
# all (`no_skips`), and a relative that comes below (`resunet`). `border` is the run
# with the map, `plain` that without.
# %%
from crashcourse.recipes import load_record, show_record

show_record("unet_cells")
# %%
study = load_record("unet_cells", "study")
fig, axes = figure(height=3.0)
for place, name in enumerate(study.variants):
    for metric, colour, shift in (("f1", "blue", -0.12), ("mean_iou", "orange", 0.12)):
        values = [one.metrics[metric] for one in study.variants[name]]
        label = {"f1": "F1 of cells", "mean_iou": "mean IoU of pixels"}[metric]
        axes.plot(
            [place + shift] * len(values),
            values,
            "o",
            color=COLOURS[colour],
            label=None if place else label,
        )
axes.set_xticks(range(len(study.variants)), list(study.variants))
axes.set(ylabel="score", ylim=(0, 1))
axes.legend(loc="lower right")
alt = "A dot for each seed: without the map F1 falls far, and mean IoU rises a little."
show(fig, alt=alt)
# %% [markdown]
# What to read from it, over {record:unet_cells.study.border.seeds} seeds:
#
# - **The map** is worth more than anything else: F1 of
#   {record:unet_cells.study.border.f1:.2f} against
#   {record:unet_cells.study.plain.f1:.2f}. Its price in mean IoU is
#   {record:unet_cells.study.border.mean_iou:.3f} against
#   {record:unet_cells.study.plain.mean_iou:.3f}.
# - **Zeros around, skips added, ResU-Net**: what they differ by is within the spread of
#   the seeds. These runs cannot tell them apart.
# - **Without skips** mean IoU falls to {record:unet_cells.study.no_skips.mean_iou:.3f},
#   and cells are found as well as before. Less harm than you may have expected. With
#   two poolings, 32 channels for each 4×4 pixels have room to note where an edge lies.
#   Four poolings leave 16×16 pixels to each place; what skips are worth there, this
#   record does not show.
#
# (Seconds say nothing here: other programs ran beside it.)
#
# ### Where it fails
# The pictures sorted by SEG; the two worst and the best:
# %%
from crashcourse.segmentation import seg_score

segs = torch.tensor(
    [
        seg_score(parted(mask), cells_)
        for mask, cells_ in zip(found["with map"], test.instances, strict=True)
    ]
)
order = segs.argsort().tolist()
shown = [order[0], order[1], order[-1]]
objects = [painted(parted(found["with map"][n])) for n in shown]
image_grid(
    [
        *(test.images[n].expand(3, -1, -1) / 255 for n in shown),
        *(painted(test.instances[n]) for n in shown),
        *objects,
    ],
    ["worst", "next", "best", *["truth"] * 3, *["found"] * 3],
    columns=3,
    alt="Three pictures, their cells, and what was found: errors where cells crowd.",
)
# %% [markdown]
# ## Seams, seen and measured
# A trained network, and a picture of 264×264: six tiles of 44 along each side. Three
# ways to cut: windows that overlap (the strategy from above), and each tile alone, with
# its own mirror image around it, or with zeros. Drawn is the middle of the picture:
# above, the probability of "cell"; below, its *error*, how far it is from that of one
# pass.
# %%
from crashcourse.recipes.unet import as_input

plate = cells(1, seed=9, size=264, split="test")
image, unet = as_input(plate.images), run.model  # (1, 1, 264, 264)


@torch.no_grad()
def alone(image: Tensor, tile: int, mode: str) -> Tensor:
    """The logits of every tile on its own, continued by F.pad's mode: (1, 2, H, W)."""
    around, rows = (unet.margin,) * 4, []
    for row in image.split(tile, 2):
        said = [unet(F.pad(piece, around, mode)) for piece in row.split(tile, 3)]
        rows.append(torch.cat(said, 3))
    return torch.cat(rows, 2)


ways = {
    "windows overlap": overlap_tile(unet, image, 44),
    "tiles alone, mirrored": alone(image, 44, "reflect"),
    "tiles alone, zeros": alone(image, 44, "constant"),
}
whole = one_pass(unet, image).softmax(1)[0, 1]  # (264, 264)
errors = {name: (said.softmax(1)[0, 1] - whole).abs() for name, said in ways.items()}
# %%
fig, panels = figure(2, 3, height=4.3, width=6.6)
part = slice(66, 198)  # two tiles along each side, and two halves
for axes, (name, said) in zip(panels[0], ways.items(), strict=True):
    axes.imshow(said.softmax(1)[0, 1, part, part], cmap="gray", vmin=0, vmax=1)
    axes.set_title(name, size=11)
for axes, error in zip(panels[1], errors.values(), strict=True):
    drawn = axes.imshow(error[part, part], cmap="inferno", vmin=0, vmax=0.5)
for axes in panels.flat:
    axes.set_axis_off()
fig.colorbar(drawn, ax=panels, shrink=0.5, label="error")
alt = (
    "Above the probability of cell, below the error against one pass: black where "
    "windows overlap; a bright grid of seams where every tile stands alone."
)
show(fig, alt=alt)
# %% [markdown]
# In numbers: the mean error near a line between tiles (up to 3 pixels), and far from
# any (more than 12). The outermost tiles are left out: there is no seam at the
# picture's own border.
# %%
along = torch.arange(264) % 44
to_line = torch.minimum(along, 43 - along)  # 0 beside a line between tiles
nearest = torch.minimum(to_line[:, None], to_line)  # (264, 264)
inner = slice(44, -44)
near, far = (where[inner, inner] for where in (nearest < 3, nearest > 12))
for name, error in errors.items():
    print(name)
    measured("  near a line", error[inner, inner][near].mean())
    measured("  far from it", error[inner, inner][far].mean())
# %%
seam = {name: error[inner, inner][near].mean() for name, error in errors.items()}
claim("overlapping: largest error", errors["windows overlap"].max(), at_most=1e-4)
for name in ("tiles alone, mirrored", "tiles alone, zeros"):
    claim(f"{name}: mean error at a seam", seam[name], at_least=0.02)
# %% [markdown]
# So inside of a picture it is the *overlap* that removes the seams. What does the
# mirror bring? Look at the border of the picture, the outermost 8 pixels. Continue the
# picture by its mirror image, or by zeros, and count the pixels that are right there.
# Guess whether it matters.
# %% tags=["guess"]
plates = cells(12, seed=10, size=96, split="test")
inputs, right = as_input(plates.images), plates.masks
ring = torch.ones(96, 96, dtype=torch.bool)
ring[8:-8, 8:-8] = False
print("pixels that are right in the outermost 8:")
scores = {}
for name, mirrored in (("mirrored", True), ("zeros", False)):
    said = overlap_tile(unet, inputs, 48, mirrored=mirrored).argmax(1)
    scores[name] = (said == right)[:, ring].float().mean().item()
    measured(f"{name:8}", scores[name])
claim("mirrored − zeros", scores["mirrored"] - scores["zeros"], at_least=0.005)
# %% [markdown]
# Zeros end in an edge that is not there; a mirror image at least looks like cells. A
# *padded* network puts such zeros around each of its maps, in every layer. It can learn
# to live with them at the border of a picture (`padded` in the record), and its output
# is as large as its input, which is comfortable. But cut a picture into tiles, and
# every line between two tiles is a border that is not there. It needs overlap just as
# much.
#
# ## ResU-Net
# The U came from 2015, in the same year as ResNet's shortcut. Put one into the other
# and you have a ResU-Net: *short* skips, added, inside of each level, and *long* ones,
# concatenated, across. The one in the package is that of Xue's course of 2021. Its
# block is lesson 13's pre-activation block:
# %%
from crashcourse.figures import show_source
from crashcourse.segmentation import ResidualBlock, resunet

show_source(ResidualBlock)
# %% [markdown]
# Three more things are new: BatchNorm in each block; strided convolutions in place of
# max pooling; and on the way up bilinear **interpolation** in place of the transposed
# convolution. It costs no weights and cannot leave a checkerboard, as four different
# weights can. Convolutions are padded.
# %%
with torch.device("meta"):
    relative = resunet()
lines = []
for name, net, side in (("U-Net, 2015", network, 572), ("ResU-Net", relative, 512)):
    out = net(torch.empty(1, 1, side, side, device="meta"))
    shape = "×".join(map(str, out.shape[1:]))
    lines.append([name, f"{count_parameters(net):,}", f"1×{side}×{side}", shape])
show_table(lines, ["network", "parameters", "image", "scores"], "Two U-shaped networks")
# %% [markdown]
# In the record above it is `resunet`, with the widths of the small U-Net:
# {record:unet_cells.study.resunet.parameters:,} parameters against
# {record:unet_cells.study.border.parameters:,}, and an F1 of
# {record:unet_cells.study.resunet.f1:.2f} against
# {record:unet_cells.study.border.f1:.2f}.
#
# A trap: its interpolation aligns the *corners* of each map, so that where a map ends
# changes values everywhere in it. No overlap makes its tiles equal to one pass:
# %%
torch.manual_seed(0)
relative = resunet().eval()
with torch.no_grad():
    whole = relative(large[..., :128, :128])  # (1, 1, 128, 128)
for context in (0, 32):
    tiled = overlap_tile(relative, large[..., :128, :128], 64, margin=context)
    gap = ((tiled - whole).abs().mean() / whole.abs().mean()).item()
    measured(f"context of {context:2} pixels: mean error, relative", gap)
# %% [markdown]
# ## Scenes
# Cells are grey, and of one kind. Here are photographs with garments in front, as in
# part 2 (detection), and their masks. Two classes at first, background and garment, as
# for cells. Garments that touch become one here: no line between them is asked for. The
# test scenes are made of photographs and garments that no training scene has.
# %%
from crashcourse.datasets import scenes
from crashcourse.segmentation import class_iou, confusion_matrix, mean_iou

look = {"size": 48, "objects": (1, 4), "sides": (0.3, 0.7), "clutter": (0, 0)}
seen, unseen = scenes(160, seed=3, **look), scenes(80, seed=4, split="test", **look)
kinds, kinds_unseen = (
    torch.stack([scene.semantic for scene in some])  # (N, 48, 48): 0 to 5
    for some in (seen, unseen)
)
labels, wanted = kinds.clamp(max=1), kinds_unseen.clamp(max=1)  # 1: a garment
image_grid(
    [*(unseen.images[:5] / 255), *painted(wanted[:5])],
    [*["unseen scene"] * 5, *["truth"] * 5],
    columns=5,
    alt="Five scenes of 48×48 pixels with one to four garments, and their masks.",
)
# %% [markdown]
# Whatever a network says must beat the answer that *everything* is background. Guess
# the mean IoU of that answer.
# %% tags=["guess"]
print("everything is background, on the unseen scenes:")
matrix = confusion_matrix(torch.zeros_like(wanted), wanted, 2)
nothing = mean_iou(matrix)
measured("pixels that are right", (wanted == 0).float().mean())
measured("mean IoU", nothing)
# %% [markdown]
# Nearly four of five pixels are right. That is also the IoU of the background, as its
# union is the whole picture; the IoU of garments is 0, and the mean is half.
#
# A padded U-Net with BatchNorm and three poolings, for 48×48. In the loss, garments
# count twice, because they are rare; there is no border term.
# %%
from crashcourse.segmentation import cross_entropy

torch.manual_seed(0)
padded = UNet(3, 2, widths=(8, 16, 32, 64), padded=True, batch_norm=True)
inputs, weights = as_input(seen.images), 1 + labels.float()
optimizer = torch.optim.Adam(padded.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=200)
for _ in range(10):
    for batch in torch.randperm(160).split(8):
        logits = padded(inputs[batch])  # (8, 2, 48, 48)
        loss = cross_entropy(logits, labels[batch], weights=weights[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
# %%
padded.eval()
with torch.no_grad():
    again, said = (padded(as_input(x.images)).argmax(1) for x in (seen, unseen))
matrix = confusion_matrix(said, wanted, 2)
for name, value in zip(("background", "garment"), class_iou(matrix), strict=True):
    measured(f"IoU, {name:10}", value)
claim("mean IoU on unseen scenes", mean_iou(matrix), at_least=0.52)
measured("of all background", nothing)
measured("on the scenes it has seen", mean_iou(confusion_matrix(again, labels, 2)))
measured("pixels that are right", (said == wanted).float().mean())
measured("of the garments' pixels, found", said[wanted == 1].float().mean())
measured("of what was found, garment", wanted[said == 1].float().mean())
# %%
image_grid(
    [*(unseen.images[:5] / 255), *painted(wanted[:5]), *painted(said[:5])],
    [*["unseen scene"] * 5, *["truth"] * 5, *["network"] * 5],
    columns=5,
    alt="Five unseen scenes, their garments, and what was found: blots in about the "
    "right places, most of them too large, and background taken for garments.",
)
# %% [markdown]
# It finds most of the garments, with rough outlines, and takes some background for
# garments; others it misses. On scenes that it has seen it is hardly better. So it has
# not learned them by heart: it has not learned enough yet. Garments and photographs
# differ more than cells do, and these are 200 updates of a small network, of one seed.
#
# ### Several classes
# For more classes the last layer changes, and the labels. Scenes have five kinds of
# garment: with background C + 1 = 6 channels, a softmax over them, cross-entropy.
# %%
torch.manual_seed(0)
several = UNet(3, 6, widths=(8, 16, 32, 64), padded=True, batch_norm=True)
with torch.no_grad():
    logits = several(inputs[:8])  # (8, 6, 48, 48)
print(tuple(logits.shape), "for background,", ", ".join(seen.classes))
clueless = cross_entropy(torch.zeros_like(logits), kinds[:8])
print(f"cross-entropy of six equal chances, ln 6: {clueless:.3f}")
# %% [markdown]
# To tell a top from a dress is harder than to find cloth: lesson 24 has tried.
#
# ## Where it is used
# **Medicine** took to U-Net at once, because its pictures are few, large and of one
# kind. The paper's own three data sets had 30, 35 and 20 training pictures, stretched
# by random *elastic deformations*: a coarse 3×3 grid of shifts, with a standard
# deviation of 10 pixels, interpolated smoothly. Tissue deforms like that, so that
# deformed pictures are new and true. (We draw as many cells as we like, and need none.)
# In the ISBI cell tracking challenge of 2015 it reached a mean IoU of 0.92 on phase
# contrast, where the second had 0.83, and 0.78 against 0.46 on DIC (table 2).
#
# **Landmarks** are points in place of regions: the tip of the heart, the two ends of a
# valve. Let a channel for each point be bright where the point is, and the same network
# finds them. Xue et al. (2020) trained a residual U-Net with a softmax over three
# landmarks and background on 34,089 cardiac MR images (34,019 in the arXiv version) of
# 2,329 patients. On 531 other patients it found the landmarks in 99.7 to 100 % of
# long-axis cine images (films of the beating heart), 2 to 3.5 mm off. A network that
# can say *not found*, because no pixel is bright, is worth more in a clinic than one
# that always points somewhere.
#
# ## Full scale
# The network of 2015, 400 pictures of 388×388. With a GPU this cell runs it; elsewhere
# it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("unet_cells")
# %% [markdown]
# ## What changed since
# Most networks that are called U-Net today are padded, have BatchNorm or another
# normalisation, and enlarge by interpolation; valid convolutions have become rare, and
# with them the guarantee of seamless tiles. 3D U-Net and V-Net (2016) took the U to
# volumes. nnU-Net (Isensee et al., 2018) showed that a plain U-Net whose settings
# follow from the data set can lead on nearly all of seven medical tasks at once. For
# touching cells, the weight map got rivals that predict shapes: StarDist (Schmidt et
# al., 2018) gives every pixel the distances to its cell's outline, Cellpose (Stringer
# et al., 2020) a flow towards its middle. And U-Nets with attention are the denoisers
# of many image generators (Ho et al., 2020; Rombach et al., 2021).
#
# *References:* O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for
# biomedical image segmentation", 2015, arXiv 1505.04597. T. Falk et al., "U-Net: deep
# learning for cell counting, detection, and morphometry", Nature Methods 16, 2019; its
# code, github.com/lmb-freiburg/Unet-Segmentation. M. Maška et al., "A benchmark for
# comparison of cell tracking algorithms", Bioinformatics 30, 2014. K. He et al.,
# "Identity mappings in deep residual networks", 2016, arXiv 1603.05027. H. Xue, "Deep
# learning crash course", 2021. Z. Zhang, Q. Liu, Y. Wang, "Road extraction by deep
# residual U-Net", 2017, arXiv 1711.10684. H. Xue et al., "Landmark detection in cardiac
# MRI using a convolutional neural network", 2020, arXiv 2008.06142. Ö. Çiçek et al.,
# "3D U-Net", 2016, arXiv 1606.06650. F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net",
# 2016, arXiv 1606.04797. F. Isensee et al., "nnU-Net", 2018, arXiv 1809.10486. U.
# Schmidt et al., "Cell detection with star-convex polygons", 2018, arXiv 1806.03535. C.
# Stringer et al., "Cellpose", Nature Methods 18, 2021. J. Ho, A. Jain, P. Abbeel,
# "Denoising diffusion probabilistic models", 2020, arXiv 2006.11239. R. Rombach et al.,
# "High-resolution image synthesis with latent diffusion models", 2021, arXiv
# 2112.10752.
