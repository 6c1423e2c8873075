# ---
# jupyter:
#   crashcourse:
#     title: EfficientNet
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 75
#     needs: [10, 13, 15, 16]
#     about: [classification.efficientnet, classification.efficientnet_scaling]
# ---
# %% [markdown]
# # How should a network grow?
# You have a small network that works, and a computer that can do more. Should the
# network become deeper, wider, or see larger images? In about 75 minutes you will write
# the block that won in 2019, scale it by one number, find out where the published
# sizes really come from, and then put **every network of this part on one chart**.
# %%
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: three ways to spend
# Here is a small network of six blocks, about fifty thousand parameters. To keep it
# cheap it sees garments at 14×14 pixels. Train it for two epochs.
# %%
from crashcourse.claims import claim, measured
from crashcourse.recipes import train

base = train("efficientnet_garments", progress=False)
claim("base network on unseen garments", base.metrics["accuracy"], at_least=0.78)
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid
from crashcourse.recipes.efficientnet import resize

held_out = garments("test")
picked = held_out.images[[1, 6, 12, 21]].float() / 255  # (4, 1, 28, 28)
sizes = (14, 18, 28)
pictures = [image for side in sizes for image in resize(picked, side)]
titles = [f"{side}×{side}" for side in sizes for _ in picked]
image_grid(pictures, titles, columns=4)
# %% [markdown]
# Now you may spend **four times** as many multiply-adds (MACs) for each image. Three
# simple ways: more blocks (*depth*), more channels (*width*), more pixels
# (*resolution*). The networks of lessons 11 and 13 grew deeper, those of lesson 16 have
# a factor for their width. Nobody has asked yet what is *best*.
#
# First, what does each cost? Take B0, the network that you will build, and double one
# thing at a time. How do the MACs change? Guess three factors before you run.
# %% tags=["guess"]
from crashcourse.classification.efficientnet import EfficientNet
from crashcourse.inspection import count_macs, count_parameters


def cost(width: float = 1.0, depth: float = 1.0, side: int = 224) -> int:
    """MACs of EfficientNet for one image of side × side pixels."""
    with torch.device("meta"):  # shapes without numbers
        network = EfficientNet(width=width, depth=depth)
    return count_macs(network, (3, side, side))


print("times as many MACs:")
for name, changed in {
    "depth": cost(depth=2.0),
    "width": cost(width=2.0),
    "resolution": cost(side=448),
}.items():
    print(f"{name} doubled: {changed / cost():.2f}")
# %% [markdown]
# Twice the blocks cost about twice as much. Twice the channels cost almost four times
# as much, because a 1×1 convolution has in · out weights. Twice the side means four
# times the pixels. With factors d, w and r for depth, width and resolution:
#
# $$\text{cost} \;\propto\; d \cdot w^2 \cdot r^2$$
#
# So four times the budget buys four times the depth, **or** twice the width, **or**
# twice the side, **or** a little of each. Write your guess down: which is best? The
# answer comes near the end, with three seeds.
#
# ## The block, by hand
# EfficientNet is made of one block, *MBConv*, and you know all its parts. It is the
# inverted residual of MobileNet v2 (lesson 16) with the gates of SENet (lesson 15).
# Only the activation is new: *SiLU*, also called Swish, x · σ(x).
# %%
x = torch.tensor([-6.0, -1.28, 0.0, 1.0, 6.0])
by_hand = x * torch.sigmoid(x)
print([round(value, 3) for value in by_hand.tolist()])
print("equal to F.silu:", torch.allclose(by_hand, F.silu(x)))
# %%
from crashcourse.figures import COLOURS, figure, show

x = torch.linspace(-6, 8, 200)
curves = {"ReLU": F.relu(x), "ReLU6": F.relu6(x), "SiLU": F.silu(x)}
fig, axes = figure(height=2.8)
for (name, y), colour in zip(curves.items(), COLOURS.values(), strict=False):
    axes.plot(x, y, color=colour, label=name)
axes.set(xlabel="x", ylabel="activation")
axes.legend()
show(fig, alt="SiLU follows ReLU, but is smooth and dips below zero near -1.3.")
# %% [markdown]
# It has no corner, and no dead side: for x = −1.28 it is lowest, about −0.28, and there
# its slope is 0; elsewhere a gradient passes.
#
# Now the block, on two channels of 4×4. Three steps as in MobileNet v2 (expand,
# depthwise, project), and the gates before the last one.
# %%
torch.manual_seed(0)
x = torch.randn(1, 2, 4, 4)
expand, project = torch.randn(6, 2), torch.randn(2, 6)  # 1×1 kernels are matrices
kernel = torch.randn(6, 1, 3, 3)  # one 3×3 for each of the six channels

wide = F.silu(torch.einsum("kc,nchw->nkhw", expand, x))  # (1, 6, 4, 4)
seen = F.silu(F.conv2d(wide, kernel, padding=1, groups=6))  # (1, 6, 4, 4)
# %%
squeeze, excite = torch.randn(1, 6), torch.randn(6, 1)  # six means, one unit, six gates
means = seen.mean((2, 3))  # (1, 6)
gates = torch.sigmoid(F.silu(means @ squeeze.T) @ excite.T)  # (1, 6)
gated = seen * gates[:, :, None, None]  # (1, 6, 4, 4)
residual = torch.einsum("ck,nkhw->nchw", project, gated)  # (1, 2, 4, 4), no activation
out = x + residual
print("gates:", [round(gate, 2) for gate in gates[0].tolist()])
print("in", tuple(x.shape), "between", tuple(wide.shape), "out", tuple(out.shape))
# %% [markdown]
# Six gates, but only one unit between: the units are counted from the channels that
# come **into the block**, a quarter of them, not from the expanded ones. That is the
# most common slip with this block.
#
# The package's block, with the same numbers in its convolutions (a fresh BatchNorm in
# evaluation changes nothing but a hundred-thousandth):
# %%
from crashcourse.classification import efficientnet as package

block = package.MBConv(2, 2, expansion=3).eval()
layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
numbers = [expand, kernel, squeeze, excite, project]
with torch.no_grad():
    for layer, weight in zip(layers, numbers, strict=True):
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        if layer.bias is not None:  # only the two layers of the gates have one
            layer.bias.zero_()
    print("equal to 1e-3:", torch.allclose(block(x), out, atol=1e-3))
# %% [markdown]
# **Predict the cost** of a real one: the block that opens B0's third stage. (The
# paper's table counts the stem as the first, and this as the fourth.)
# %% exercise="efficientnet.costs"
# %% [markdown]
# ## Stochastic depth
# B7 has 55 blocks. Huang et al. (2016) found a way to train deep residual networks
# better and faster: in every step, leave some blocks out. A residual block without its
# residual is the identity, as you saw in lesson 13, so nothing breaks. In evaluation
# all blocks are there.
#
# Each image of a batch is decided for itself. If a residual is dropped with probability
# p, those that stay are divided by 1 − p. Why? Four examples, p = 0.5:
# %%
residual = torch.tensor([1.0, 2.0, 3.0, 4.0])
kept = torch.tensor([True, False, False, True])
print("kept as they are:  mean", (residual * kept).mean().item())
print("divided by 1 - p:  mean", (residual * kept / 0.5).mean().item())
print("all of them:       mean", residual.mean().item())
# %% [markdown]
# The next layer gets used to the mean that it sees in training. It should find the same
# in evaluation. **Write it**, for a batch of maps.
# %% exercise="classification.drop_residuals"
# %% [markdown]
# Your function, many times over: on average it gives the residual back.
# %%
maps = torch.randn(8, 3, 4, 4)  # residuals of eight examples
total = torch.zeros_like(maps)
for _ in range(2000):
    kept = torch.rand(8) >= 0.2
    total += drop_residuals(maps, kept, 0.2)
share = (total / 2000 / maps).mean().item()
claim("mean of 2000 draws / residual", share, at_least=0.97, at_most=1.03)
# %% [markdown]
# Early blocks are rarely dropped, late ones more often: block i of L has probability
# 0.2 · i / L. How many blocks does B0 use in one step of training, on average?
# %%
with torch.device("meta"):
    b0 = package.efficientnet_b0()
drops = [block.drop for block in b0.modules() if isinstance(block, package.MBConv)]
skips = [block.has_skip for block in b0.modules() if isinstance(block, package.MBConv)]
droppable = [drop for drop, skip in zip(drops, skips, strict=True) if skip]
print(f"{len(drops)} blocks; {len(droppable)} have a shortcut and can be dropped")
print(f"blocks used on average: {len(drops) - sum(droppable):.1f}")
# %% [markdown]
# **Now write MBConv**, with what is there: `conv_norm` makes a convolution that keeps
# the size, with BatchNorm and an activation; `SqueezeExcitation` makes the gates;
# `stochastic_depth` draws who is kept and then does what you have just written.
# %%
from crashcourse.classification.mobilenet import conv_norm
from crashcourse.classification.senet import SqueezeExcitation
from crashcourse.classification.stochastic_depth import stochastic_depth
from crashcourse.errors import CourseError

# %% exercise="classification.mbconv"
# %% [markdown]
# Your block in use: the third stage of B0 is two of them. The first changes the shape
# and has no shortcut; the second has one.
# %%
stage = nn.Sequential(MBConv(24, 40, kernel=5, stride=2), MBConv(40, 40, kernel=5))
maps = torch.randn(1, 24, 56, 56)
for block in stage.eval():
    maps = block(maps)
    print(tuple(maps.shape), f"{count_parameters(block):,} parameters")
# %% [markdown]
# ## Scaling by one number
# B0 itself was found by a computer that searched among such blocks (a *neural
# architecture search*, with accuracy and MACs as its goal). Then Tan and Le asked how
# to make it larger. Their answer, *compound scaling*: one number φ, three bases
# (equation 3).
#
# $$d = \alpha^\varphi, \quad w = \beta^\varphi, \quad r = \gamma^\varphi
# \qquad\text{with } \alpha \cdot \beta^2 \cdot \gamma^2 \approx 2$$
#
# Then the cost grows about as 2^φ. A small grid search at φ = 1, on B0, gave α = 1.2,
# β = 1.1, γ = 1.15.
# %%
alpha, beta, gamma = 1.2, 1.1, 1.15
one_step = alpha * beta**2 * gamma**2
print(f"cost of one step: {one_step:.2f}")
print(f"depth's part {alpha:.2f}, width's {beta**2:.2f}, resolution's {gamma**2:.2f}")
# %% [markdown]
# Why all three? Because they need each other:
# %% exercise="efficientnet.one_alone"
# %% [markdown]
# 18.7 channels or 2.4 blocks cannot be built. Channels become a multiple of 8, which
# computers like, and never much fewer than wanted; blocks are rounded up.
# **Write the rounding**, for one stage.
# %% exercise="classification.scale_stage"
# %% [markdown]
# What it does to a stage, from the width that is wanted to the one that is built:
# %%
wanted = torch.arange(8, 81)
built = [scale_stage(int(channels), 1, 1.0, 1.0)[0] for channels in wanted]
fig, axes = figure(height=3.2)
axes.step(wanted, built, where="mid", color=COLOURS["blue"], label="built")
axes.plot(wanted, wanted, ":", color=COLOURS["black"], label="wanted")
axes.plot(wanted, 0.9 * wanted, "--", color=COLOURS["vermilion"], label="90 % of it")
axes.set(xlabel="channels wanted", ylabel="channels built")
axes.legend()
show(fig, alt="A staircase of multiples of 8 around the diagonal, never below 90 %.")
# %% [markdown]
# At small widths the 90 % line lifts the steps: 18 becomes 24, although 16 is nearer.
# Small networks are changed by this much more than large ones.
#
# **Write compound scaling**, with your rounding.
# %% exercise="classification.scale_network"
# %%
b0_stages = [(row[2], row[3]) for row in package.STAGES]  # (channels, blocks)
for phi in (0, 1, 2):
    stages, side = scale_network(b0_stages, 224, phi)
    blocks = sum(repeats for _, repeats in stages)
    print(f"φ = {phi}: {side}×{side} pixels, {blocks} blocks")
    print("      ", " ".join(f"{channels}×{repeats}" for channels, repeats in stages))
# %% [markdown]
# Look at φ = 1: the formula says 1.2 times the depth, but 16 blocks become 23, 1.44
# times. Each of seven stages is rounded up.
#
# ## A trap: the networks that were shipped
# B1, B2, ..., B7: surely those are φ = 1, 2, ..., 7? Here are the released networks,
# counted from the live modules.
# %%
from crashcourse.figures import show_table

rows = []
for name, (width, depth, side, *_) in package.VARIANTS.items():
    with torch.device("meta"):
        network = getattr(package, f"efficientnet_{name}")()
    blocks = sum(isinstance(module, package.MBConv) for module in network.modules())
    macs = count_macs(network, (3, side, side)) / 1e9
    size = count_parameters(network)
    rows.append([name.upper(), width, depth, side, blocks, size, f"{macs:.2f}"])
headers = ["", "width w", "depth d", "side", "blocks", "parameters", "billion MACs"]
show_table(rows, headers, "EfficientNet as released")
# %% [markdown]
# Turn the formula round: which φ does each number say? For depth, φ = ln d / ln α; for
# width and resolution alike. If one φ made each network, the three lines of the figure
# would lie on each other. Do they? Guess first.
# %% tags=["guess"]
fig, axes = figure(height=3.2)
released = {n: v for n, v in package.VARIANTS.items() if n != "b0"}
said = {
    "depth": [math.log(v.depth) / math.log(alpha) for v in released.values()],
    "width": [math.log(v.width) / math.log(beta) for v in released.values()],
    "resolution": [
        math.log(v.image_size / 224) / math.log(gamma) for v in released.values()
    ],
}
for (name, values), colour in zip(said.items(), COLOURS.values(), strict=False):
    axes.plot(list(released), values, "o-", color=colour, label=name)
axes.set(xlabel="network", ylabel="φ that its number says")
axes.legend()
print("φ from each of the three:")
show(fig, alt="Three lines that cross: depth, width and resolution imply different φ.")
# %%
for name in ("b1", "b4", "b7"):
    place = list(released).index(name)
    phis = ", ".join(f"{kind} {values[place]:.1f}" for kind, values in said.items())
    print(f"{name.upper()}: {phis}")
# %% [markdown]
# They do not. B1 has half a step of depth and resolution, and no width at all; B7 says
# 6.2, 7.3 and 7.0. The formula gave the direction. The numbers that were shipped were
# set by hand. If you implement "φ = 7" you do not get B7, and its weights do not fit.
#
# Is our B0 right? Against torchvision's, with its weights, on photographs:
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs = torchvision.models.efficientnet_b0().eval()
ours = package.efficientnet_b0().eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
crops = torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:4]]) / 255
with torch.no_grad():
    difference = (ours(crops) - theirs(crops)).abs().max()  # crops (4, 3, 96, 96)
print("largest difference below 1e-5:", bool(difference < 1e-5))
# %% [markdown]
# The block in the package, and B0 from the live module: a row for the stem, each of the
# seven stages, and the last 1×1.
# %%
from crashcourse.figures import network_diagram, show_source

show_source(package.MBConv)
# %%
from dataclasses import replace

from crashcourse.inspection import summarize

kinds = [f"{repeats} MBConv {k}×{k}" for _, k, _, repeats, _ in package.STAGES]
names = ["stem:", *(f"stage {place}:" for place in range(1, 8)), "end:"]
rows = summarize(b0.features, (3, 224, 224), by="child")
rows = [
    replace(row, name=name, kind=kind)
    for row, name, kind in zip(rows, names, ["3×3", *kinds, "1×1"], strict=True)
]
network_diagram(rows, title="EfficientNet-B0")
# %% [markdown]
# The search has put its work in the middle: nearly half of the MACs are in the fifth
# and sixth stage, on maps of 14×14 and 7×7. Most parameters are at the end, where
# channels are many, as in the other networks of this part.
# %% [markdown]
# ## The run: four ways to spend
# Back to the garments, and to your guess. These are the networks with four times the
# budget. The compound one has 1.5 times the repeats, 1.15 times the channels, and sees
# 18×18 pixels.
# %%
from crashcourse.recipes.efficientnet import SIZES, scaled_network

for name in ("base", "depth4", "width4", "resolution4", "compound4"):
    with torch.device("meta"):
        network = scaled_network(name)
    macs, size = count_macs(network, (1, 28, 28)), count_parameters(network)
    print(f"{name:12}{size:>8,} parameters, {macs / 1e6:.2f} million MACs")
# %% [markdown]
# Two epochs and one seed cannot compare methods. The recorded study trained nine
# networks with {record:efficientnet_garments.study.seeds} seeds and
# {record:efficientnet_garments.study.epochs} epochs each: each dimension alone at about
# two and four times the MACs, and all three together. Which of the four is best?
# %% tags=["guess"]
from crashcourse.recipes import load_record

study = load_record("efficientnet_garments", "study")
rows = []
for name in SIZES:
    with torch.device("meta"):
        macs = count_macs(scaled_network(name), (1, 28, 28))
    mean, spread = (study.field(f"{name}.accuracy{end}") for end in ("", "_std"))
    size = study.field(f"{name}.parameters")
    rows.append([name, size, f"{macs / 1e6:.2f}", f"{mean:.4f}", f"{spread:.4f}"])
headers = ["network", "parameters", "million MACs", "unseen", "±"]
print("each dimension alone, and all together:")
show_table(rows, headers, "Accuracy: mean and standard deviation over three seeds")
# %%
fig, axes = figure(height=3.4)
lines = {kind: ("base", f"{kind}2", f"{kind}4") for kind in said}
lines["compound"] = ("base", "compound2", "compound4")
cost_of = {row[0]: float(row[2]) for row in rows}
for (kind, names), colour in zip(lines.items(), COLOURS.values(), strict=False):
    means = [100 * study.field(f"{name}.accuracy") for name in names]
    axes.plot([cost_of[name] for name in names], means, color=colour, label=kind)
    for name in names:
        values = [100 * seed.metrics["accuracy"] for seed in study.variants[name]]
        axes.plot([cost_of[name]] * len(values), values, "o", color=colour, alpha=0.5)
axes.set(xlabel="million MACs", ylabel="accuracy on unseen images (%)")
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
alt = "Accuracy against MACs: width rises most, depth is flat, compound lies between."
show(fig, alt=alt)
# %%
field = study.field
above = field("width4.accuracy_min") > field("depth4.accuracy_max")
print("every width4 better than every depth4:", above)
above = field("width4.accuracy_min") > field("compound4.accuracy_max")
print("every width4 better than every compound4:", above)
for name in ("base", "depth4", "width4", "resolution4", "compound4"):
    curves = study.curves("accuracy", name)  # while training, a curve for each seed
    last = sum(curve[-1] for curve in curves) / len(curves)
    print(f"{name:12} accuracy in the last epoch of training: {last:.3f}")
# %% [markdown]
# This is **not** the paper's result. B0 on ImageNet, at the same four times the cost
# (table 7 of its fifth version; top-1 accuracy):
#
# | B0 | depth ×4 | width ×2 | resolution ×2 | all three: 1.4, 1.2, 1.3 |
# |---|---|---|---|---|
# | 77.3 % | 79.0 % | 78.9 % | 79.1 % | **81.1 %** |
#
# There, each dimension alone gains less than two points and then saturates (figure 3);
# all three together gain almost four. Here, on garments:
#
# * **Depth alone** brings nothing:
#   {record:efficientnet_garments.study.depth4.accuracy:.1%} against
#   {record:efficientnet_garments.study.base.accuracy:.1%} for the base.
# * **Resolution alone** brings a little:
#   {record:efficientnet_garments.study.resolution4.accuracy:.1%}.
# * **Width alone** brings most:
#   {record:efficientnet_garments.study.width4.accuracy:.1%}, with every seed above
#   every seed of depth and of compound.
# * **All three**: {record:efficientnet_garments.study.compound4.accuracy:.1%}, no
#   better than resolution alone.
#
# Why? Look at the last epoch of training. The network with 24 blocks does not fit even
# its *training* images better than the base: it has not had time to learn, as in lesson
# 13. Three epochs are 468 updates. The compound network spends a good part of its
# budget on depth, and loses that part. Bello et al. (2021) found the rule behind this
# on ImageNet: scale depth where training is long enough to over-fit, and otherwise
# **width**.
#
# So take the idea and not the numbers. α, β, γ are no constants of nature: they were
# searched for one baseline, one data set, one training. Whoever has another must search
# again. And with images of 28×28, resolution ends where the data ends: there is nothing
# more to see.
# %% [markdown]
# ### The best of them, here
# The wide network, live: the same two epochs as the base at the beginning.
# %%
wide = train("efficientnet_garments", variant="width4", progress=False)
claim("width4 on unseen garments", wide.metrics["accuracy"], at_least=0.82)
# %%
from crashcourse.figures import learning_curves

histories = {"base": base.history, "4 times the MACs: width": wide.history}
learning_curves(histories, ["accuracy"])
# %% [markdown]
# What is still wrong, worst first:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = wide.model(held_out.normalised())  # (2000, 10)
worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown]
# ## Every network of the part, on one chart
# Fifteen networks, lessons 10 to 17. Which one should you use? Papers cannot say: each
# had its own images, training recipe and computer. So here they meet: same garments in
# the same order, same optimizer and schedule, three epochs, three seeds. Each keeps its
# paper's form, and each is as wide as costs **about two million MACs**. (The three
# without BatchNorm get a quarter of the learning rate. In trials, SqueezeNet stayed at
# chance with half of it.)
#
# At equal MACs, will they take equal time? Measure it on your computer: images per
# second, without training. First, guess: by which factor do the fastest and the slowest
# differ?
# %%
import time

from crashcourse.recipes.part1 import NETWORKS, part_network

batch = held_out.normalised()[:100]  # (100, 1, 28, 28)


@torch.no_grad()
def images_per_second(model: nn.Module, repeats: int = 5) -> float:
    """The best of several passes over the batch, in evaluation."""
    model.eval()(batch)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        model(batch)
        seconds.append(time.perf_counter() - start)
    return len(batch) / min(seconds)


# %% tags=["guess"]
torch.manual_seed(0)
speeds = {name: images_per_second(part_network(name)) for name in NETWORKS}
fastest, slowest = max(speeds.values()), min(speeds.values())
print("images per second, at equal MACs:")
claim("fastest / slowest", fastest / slowest, at_least=1.5)
# %%
from crashcourse.figures import trade_off

part = load_record("part_garments", "study")
rows = []
for name in NETWORKS:  # in the order of their papers, from 2012 to 2019
    with torch.device("meta"):
        macs = count_macs(part_network(name), (1, 28, 28)) / 1e6
    mean, spread = (part.field(f"{name}.accuracy{end}") for end in ("", "_std"))
    seconds = part.field(f"{name}.train_cpu_seconds")
    size, unseen = part.field(f"{name}.parameters"), f"{100 * mean:.1f}"
    rows.append(
        [name, size, f"{macs:.2f}", unseen, f"{100 * spread:.1f}", f"{seconds:.0f}"]
    )
headers = ["network", "parameters", "MACs (M)", "unseen %", "±", "CPU seconds"]
show_table(rows, headers, "Equal cost: 3 seeds, 3 epochs of 10,000 garments")
# %%
points = [
    (row[0], float(row[5]), float(row[3]), row[1])
    for row in rows
    if row[0] != "squeezenet"  # far below: see the next figure
]
labels = ("training, seconds of one core", "accuracy on unseen images (%)")
alt = "Accuracy against training time at equal MACs: fast and slow ones are mixed."
trade_off(points, *labels, title="Equal MACs; area: parameters", log=False, alt=alt)
# %%
reached = {
    name: [100 * seed.metrics["accuracy"] for seed in part.variants[name]]
    for name in NETWORKS
}
fig, panels = figure(1, 2, height=5.2, sharey=True)
shades = [colour for key, colour in COLOURS.items() if key != "yellow"]
for place, (name, values) in enumerate(reached.items()):
    look = {"color": shades[place % 7], "alpha": 0.7}
    panels[0].plot(values, [place] * len(values), "o", **look)
    panels[1].barh(place, speeds[name], **look)
far = ", ".join(f"{value:.0f}" for value in reached["squeezenet"])
panels[0].text(82.2, list(reached).index("squeezenet"), f"← {far} %", va="center")
panels[0].set_yticks(range(len(reached)), reached)
panels[0].invert_yaxis()
panels[0].set(title="a dot a seed", xlabel="accuracy, unseen (%)", xlim=(82, 89.5))
panels[1].set(title="measured here", xlabel="images per second")
alt = "Seeds of most networks overlap between 86 and 88 %; speeds differ severalfold."
show(fig, alt=alt)
# %%
without = ("alexnet", "zfnet", "squeezenet")  # BatchNorm
worst = min(min(values) for name, values in reached.items() if name not in without)
best = max(max(reached[name]) for name in without)
print("every run with BatchNorm is better than every run without:", worst > best)
# %% [markdown]
# Read it slowly.
#
# * **The years do not show.** Twelve networks with BatchNorm lie within two points, and
#   the dots of one network spread by up to one or so. With three seeds, most neighbours
#   cannot be told apart.
# * **BatchNorm shows**, which most of the papers take for granted. AlexNet and ZFNet
#   are behind. SqueezeNet, deeper and without it, learned slowly with two seeds and
#   hardly at all with the third. Its paper trains long and carefully.
# * **Equal MACs are not equal time.** Training took
#   {record:part_garments.study.zfnet.train_cpu_seconds:.0f} seconds of a core for
#   ZFNet, {record:part_garments.study.resnet.train_cpu_seconds:.0f} for ResNet, and
#   {record:part_garments.study.efficientnet.train_cpu_seconds:.0f} for EfficientNet.
#   Depthwise convolutions, shuffles and gates have few MACs and move much data.
#
# What can small scale not show? Depth, the point of ResNet and DenseNet, needs longer
# training. The mobile networks were made for a phone's processor and a thousand
# classes. EfficientNet's blocks were chosen by a search on ImageNet, not on garments of
# 28×28. So do not choose a network by this chart. Choose by your own data and your own
# budget, on your own computer, with more than one seed: it took a few lines.
#
# ## The same networks, full size, on ImageNet
# What the papers' sizes reach on their own ground: a million photographs, a thousand
# classes. Accuracy needs a protocol. torchvision tests all its weights alike, with
# **one crop** from the middle of each image; papers often average **ten crops**, which
# is worth one or two points and costs ten times as much. Read the last two columns.
# (`alexnet` is the form of 2014 without groups. GoogLeNet's parameters include its two
# auxiliary heads; 6.6 million without.)
# %%
from crashcourse.classification.imagenet import PAPERS, TORCHVISION
from crashcourse.classification.models import MODELS

shown = (
    *("alexnet", "zfnet", "vgg16", "vgg16_bn", "googlenet", "resnet50", "resnet152"),
    *("resnext50_32x4d", "densenet121", "squeezenet1_0", "mobilenet_v1"),
    *("shufflenet_v1_g8", "se_resnet50", "mobilenet_v2", "shufflenet_v2_x1_0"),
    *("efficientnet_b0", "efficientnet_b4", "efficientnet_b7"),
)
rows = []
for name in shown:
    found, model = TORCHVISION.get(name) or PAPERS[name], MODELS[name]
    top5 = "" if found.top5 is None else f"{found.top5:.1f}"
    source = found.source.split(",")[0]
    costs = [f"{model.parameters / 1e6:.1f}", f"{model.macs / 1e9:.2f}"]
    errors = [f"{found.top1:.1f}", top5, found.crops, source]
    rows.append([name, str(model.year), *costs, *errors])
headers = ["network", "year", "param. (M)", "MACs (G)", "top-1 error", "top-5"]
show_table(rows, [*headers, "crops", "printed by"], "ImageNet, one network each")
# %%
points = []
for name in (*shown, *(f"efficientnet_b{i}" for i in (1, 2, 3, 5, 6))):
    found = TORCHVISION.get(name) or PAPERS[name]
    kind = "EfficientNet" if "efficientnet" in name else "others, one crop"
    kind = kind if found.crops == 1 else "ten crops"
    short = name.replace("efficientnet_", "").replace("_32x4d", "").replace("_x1_0", "")
    circle = (MODELS[name].macs / 1e9, 100 - found.top1, MODELS[name].parameters)
    points.append((short.replace("1_0", ""), *circle, kind))
alt = "ImageNet accuracy against MACs: EfficientNets lie above all others."
labels = ("billion MACs for one image", "top-1 accuracy (%)")
trade_off(points, *labels, title="Area: parameters", height=5.0, alt=alt)
# %% [markdown]
# Here the years can be seen. From VGG-16 to B0: a fortieth of the MACs, a twenty-sixth
# of the parameters, and fewer errors. Yet do not read off that "the block did it". The
# older weights come from older training recipes; ResNet-50 itself gained more than four
# points in 2021 from training alone (lesson 13). And sources disagree. B0's top-1
# accuracy is 76.3 % in the first version of the paper, 77.1 % and 77.3 % in two tables
# of the fifth, and 77.7 % with torchvision's weights. For B7, of 66 million parameters
# and 38 billion MACs (the paper prints 37), they are 84.4 %, 84.3 % and 84.1 %.
#
# ## The cost of training
# How much did all this save? Hernandez and Brown (2020) asked: how much computing does
# it take to train a network **to AlexNet's accuracy** (79.1 % top-5)? In
# teraflop/s-days (a machine of 10¹² operations a second, for a day):
# %%
from datetime import date

to_alexnet = {
    "AlexNet": (date(2012, 6, 1), 3.1),
    "GoogLeNet": (date(2014, 9, 17), 0.71),
    "MobileNet": (date(2017, 4, 17), 0.28),
    "ShuffleNet": (date(2017, 7, 3), 0.15),
    "ShuffleNet v2": (date(2018, 6, 30), 0.12),
    "EfficientNet": (date(2019, 5, 28), 0.069),
}
start, compute = to_alexnet["AlexNet"]
months = [(day - start).days / 30.44 for day, _ in to_alexnet.values()]
halvings = [math.log2(compute / value) for _, value in to_alexnet.values()]
for name, (_, value) in to_alexnet.items():
    print(f"{name:14}{value:>6} {compute / value:>6.1f} times less")
# %% [markdown]
# In how many months does it halve? Fit a line through the logarithms (least squares),
# and compare with computers alone, which by Moore's law double in 24 months.
# %%
m, h = torch.tensor(months), torch.tensor(halvings)
slope = ((m - m.mean()) * (h - h.mean())).sum() / ((m - m.mean()) ** 2).sum()
print(f"halves every {1 / slope:.0f} months; after {months[-1] / 12:.0f} years:")
print(f"{2 ** (months[-1] / 24):.0f} times from Moore's law alone")
# %%
fig, axes = figure(height=3.4)
days = [day for day, _ in to_alexnet.values()]
axes.plot(days, [v for _, v in to_alexnet.values()], "o-", color=COLOURS["blue"])
for name, (day, value) in to_alexnet.items():
    at, side = ((6, 4), "left") if name == "AlexNet" else ((-6, -11), "right")
    style = {"textcoords": "offset points", "ha": side, "size": 10}
    axes.annotate(name, (day, value), at, **style)
moore = [compute * 2 ** (-month / 24) for month in months]
axes.plot(days, moore, "--", color=COLOURS["orange"], label="Moore's law")
axes.set(yscale="log", ylabel="teraflop/s-days", xlabel="year", ylim=(0.04, 5))
axes.set_xlim(date(2012, 1, 1), date(2020, 1, 1))
axes.legend()
alt = "Training compute to AlexNet's accuracy falls 45 times in seven years."
show(fig, alt=alt)
# %% [markdown]
# 3.1 / 0.069 is 44.9; the authors print 44. Halving every 16 months, faster than
# Moore's law, and both multiply. Mind what it counts: **training** to a fixed accuracy.
# It says nothing about the cost of one prediction, nor about the best accuracy that
# money can buy, whose cost rose.
#
# ## Full scale
# The recipe with all 60,000 garments, twice the channels and 30 epochs. With a GPU this
# cell runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("efficientnet_garments")
# %% [markdown]
# ## What changed since
# Depthwise convolutions have few MACs and much to load and store, so EfficientNets are
# slower than their MACs promise. EfficientNetV2 (2021), by the same authors, replaces
# the early ones by ordinary 3×3 convolutions and lets images grow during training.
# RegNet (2020) and ResNet-RS (2021) found that plain designs, well scaled and well
# trained, come close or are faster at equal accuracy; how to scale turned out to depend
# on how long one trains. Vision transformers and ConvNeXt took the top of the table
# after 2021; that depth, width and resolution must grow together is still how networks
# are made larger.
#
# *References:* M. Tan, Q. Le, "EfficientNet: rethinking model scaling for convolutional
# neural networks", 2019, arXiv 1905.11946. G. Huang, Y. Sun, Z. Liu, D. Sedra, K.
# Weinberger, "Deep networks with stochastic depth", 2016, arXiv 1603.09382. P.
# Ramachandran, B. Zoph, Q. Le, "Searching for activation functions", 2017, arXiv
# 1710.05941 (Swish). D. Hernandez, T. Brown, "Measuring the algorithmic efficiency of
# neural networks", 2020, arXiv 2005.04305. I. Radosavovic et al., "Designing network
# design spaces", 2020, arXiv 2003.13678. M. Tan, Q. Le, "EfficientNetV2", 2021, arXiv
# 2104.00298. I. Bello et al., "Revisiting ResNets: improved training and scaling
# strategies", 2021, arXiv 2103.07579.
