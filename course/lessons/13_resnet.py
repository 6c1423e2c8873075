# ---
# jupyter:
#   crashcourse:
#     title: ResNet
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 75
#     needs: [10, 11]
#     about: [classification.resnet, classification.resnext]
# ---
# %% [markdown]
# # Why can 56 layers not do what 20 can?
# VGG showed that depth helps, and stopped at 19 layers. Add more, and the network gets
# *worse*, even on the images it is trained on. In about 75 minutes you will see that
# happen, write the one line that cures it, measure what it does to gradients, and
# build the networks that followed: ResNet, pre-activation, ResNeXt.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: deeper is worse
# Take two stacks of 3×3 convolutions, each with its BatchNorm and ReLU, as in VGG:
# 20 layers, and 56. (They are He et al.'s networks for small images, with 8 channels
# to begin with, for speed.) Both train on the same 10,000 garments, in the same order,
# for the same three epochs. Eight of these garments:
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid

training = garments("train")
names = [training.classes[label] for label in training.labels[:8].tolist()]
image_grid(training.images[:8], names, columns=8)
# %% [markdown]
# Which one will fit **the images it was trained on** better? Guess before you run the
# cells: the stored curves are folded away.
# %%
from crashcourse.recipes import train

plain20 = train("depth_garments", variant="plain20", progress=False)
plain56 = train("depth_garments", variant="plain56", progress=False)
# %% tags=["guess"]
from crashcourse.claims import claim, measured
from crashcourse.figures import learning_curves

histories = {"plain, 20 layers": plain20.history, "plain, 56": plain56.history}
learning_curves(histories, ["accuracy"])
# %% [markdown]
# The solid lines are training images: the deeper network is far behind *there*. On
# unseen images (dashed) it is behind, too. After training, all 10,000 training images
# once more:
# %%
for name, run in {"plain-20": plain20, "plain-56": plain56}.items():
    measured(f"{name}: accuracy on training images", run.metrics["train_accuracy"])
    measured(f"{name}: accuracy on unseen images", run.metrics["accuracy"])
gap = plain20.metrics["train_accuracy"] - plain56.metrics["train_accuracy"]
claim("training accuracy, plain-20 minus plain-56", gap, at_least=0.05)
# %% [markdown]
# Is this over-fitting?
# %% exercise="resnet.not_overfitting"
# %% [markdown]
# He et al. call it *degradation*. It is strange, because a good 56-layer network is
# easy to write down: take the 20 layers that work, and let the other 36 pass on what
# they get. A 3×3 convolution can do that: one weight of 1 in the middle, for its own
# channel, and 0 elsewhere.
# %%
passing = nn.Conv2d(4, 4, 3, padding=1, bias=False)
nn.init.dirac_(passing.weight)  # a 1 in the middle of its own channel
maps = torch.rand(2, 4, 6, 6)  # maps after a ReLU are never negative
with torch.no_grad():
    print("unchanged by convolution and ReLU:", torch.equal(passing(maps).relu(), maps))
print("weights that must be exactly right:", passing.weight.numel())
# %% [markdown]
# So the deep network could be as good as the shallow one. The optimizer does not find
# it. For a convolution, "do nothing" is one special point among all weights.
#
# ## The idea: learn what to add
# Let "do nothing" be what happens when the weights are **zero**. A layer of the old
# kind with zero weights forgets everything. Add its input to its output, and it
# passes everything on:
# %%
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]  # (1, 1, 2, 2)
silent = torch.zeros(1, 1, 3, 3)
print("plain:   ", F.conv2d(x, silent, padding=1).flatten().tolist())
print("with sum:", (F.conv2d(x, silent, padding=1) + x).flatten().tolist())
# %% [markdown]
# If the layers are to compute H(x), let them compute only the *residual*
# F(x) = H(x) − x, and add x again:
#
# $$y = F(x) + x \qquad \text{(equation 1)}$$
#
# The path that carries x is the *shortcut*. It has no weights and costs one addition.
#
# One thing is missing. Where a stage begins, the stride halves the maps and the
# channels double. Then x does not fit:
# %%
x = torch.randn(1, 4, 6, 6)
branch = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
side = nn.Conv2d(4, 8, 1, stride=2, bias=False)
print("x", tuple(x.shape), "F(x)", tuple(branch(x).shape))
print("projected x", tuple(side(x).shape))  # (1, 8, 3, 3): fits
# %% [markdown]
# The paper tries three shortcuts for these places. **A**: take every second pixel,
# and fill the new channels with zeros: nothing to learn. **B**: a 1×1 convolution with
# the stride, a *projection* (equation 2). **C**: a projection everywhere. B is a little
# better than A, C a little better than B and dearer. The ImageNet networks use B.
#
# **Write the block** of ResNet-18 and 34, with shortcut B: x itself where it fits,
# else its projection. A BatchNorm follows each convolution, the projection too, so
# none has a bias. The last ReLU comes after the sum. Layers may have any names. To
# compare, the check copies weights into them, in the order in which you make them:
# make the shortcut's layers last.
# %% exercise="classification.residual_block"
# %% [markdown]
# Your block in use: the second stage of ResNet-18 is two of them. A BatchNorm
# multiplies by its `weight` and adds its `bias`, which begins at 0. Set the weights in
# the second block to zero: its branch falls silent, and it passes its input on.
# %%
stage = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128)).eval()
maps = torch.rand(1, 64, 56, 56)
with torch.no_grad():
    half = stage[0](maps)  # (1, 128, 28, 28)
    for part in stage[1].modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.zeros_(part.weight)
    print("shape", tuple(half.shape))
    print("passed on unchanged:", torch.equal(stage[1](half), half))
# %% [markdown]
# ## Where the gradient goes
# Training changes early layers by the gradient that reaches them. Through a plain
# stack it is multiplied by every layer on its way. Through a residual one it is
# multiplied by *one plus* the layer's own slope, so one path is always open. With
# $h_l$ for the signal after layer l, and $F_l'$ for the slope of layer l:
#
# $$\frac{\partial h_L}{\partial h_0} = \prod_l F_l' \qquad\text{against}\qquad
# \prod_l (1 + F_l')$$
#
# **Write it** for a stack of dense layers with ReLU, where F(h) = ReLU(h Wᵀ). Let
# autograd do the chain rule.
# %% exercise="classification.input_gradient"
# %% [markdown]
# Now 50 layers of width D = 64. The weights are drawn with a standard deviation of
# gain · √(2 / D). A gain of 1 is He's initialisation: it keeps the size of the signal
# *on average*. How large is the gradient at the input, after 1, 2, 5, ... 50 layers?
# Gains of 0.5, 1 and 1.3, plain and residual, make six curves. Which of them will
# stay in sight?
# %% tags=["guess"]
from crashcourse.figures import COLOURS, figure, show

generator = torch.Generator().manual_seed(0)
depths, start = [1, 2, 5, 10, 20, 30, 40, 50], torch.rand(4, 64, generator=generator)
noise = torch.randn(50, 64, 64, generator=generator) * (2 / 64) ** 0.5
fig, axes = figure(height=3.2)
for gain, colour in zip((0.5, 1.0, 1.3), ("blue", "green", "orange"), strict=True):
    for residual in (False, True):
        weights = gain * noise / (len(noise) ** 0.5 if residual else 1)
        norms = [input_gradient(start, weights[:n], residual).norm() for n in depths]
        style, kind = ("-", "residual") if residual else ("--", "plain")
        label = f"{kind}, gain {gain}"
        axes.plot(depths, norms, style, color=COLOURS[colour], label=label)
axes.set(yscale="log", xlabel="layers", ylabel="gradient at the input (norm)")
axes.legend(fontsize=10, loc="center left", bbox_to_anchor=(1.0, 0.5))
print("size of the gradient at the input:")
show(fig, alt="Plain: gradients vanish or explode with depth. Residual: not.")
# %% [markdown]
# Plain stacks multiply: a gain of 0.5 leaves about 10⁻¹⁵ after 50 layers, a gain of
# 1.3 a million. The residual ones grow by about a hundred at most. One thing was added
# for them: the branches are divided by √50. Without that, residual sums grow fast,
# since every layer adds something: try it. In ResNets a BatchNorm at the end of every
# branch keeps it in size.
#
# BatchNorm also repairs the plain network's *forward* signal. So is its gradient fine,
# too? Measure it, in fresh networks on one batch: the norm of the gradient of every
# 3×3 convolution, from the first layer to the last.
# %%
from crashcourse.classification.resnet_cifar import CifarResNet

images, labels = training.normalised()[:128], training.labels[:128]


def gradient_norms(model: nn.Module) -> list[float]:
    """Norms of the gradients of all convolutions of the branches, first layer first."""
    F.cross_entropy(model(images), labels).backward()
    layers = model.named_parameters()
    return [p.grad.norm().item() for name, p in layers if "conv" in name]


# %%
small = {"in_channels": 1, "width": 8, "stem_stride": 4}  # as in the runs above
torch.manual_seed(0)
norms = {
    "plain, 20 layers": gradient_norms(CifarResNet(20, shortcut="none", **small)),
    "plain, 56": gradient_norms(CifarResNet(56, shortcut="none", **small)),
    "residual, 56": gradient_norms(CifarResNet(56, **small)),
}
fig, axes = figure(height=3.0)
for (label, values), colour in zip(norms.items(), COLOURS.values(), strict=False):
    axes.plot(range(1, len(values) + 1), values, color=colour, label=label)
axes.set(yscale="log", xlabel="layer", ylabel="gradient (norm)")
axes.legend()
alt = "Gradient by layer: falls steeply in plain-56, nearly flat in residual-56."
show(fig, alt=alt)
# %%
for name, least, most in (("plain, 56", 100, None), ("residual, 56", None, 50)):
    ratio = norms[name][0] / norms[name][-1]
    claim(f"{name}: first layer / last layer", ratio, at_least=least, at_most=most)
# %% [markdown]
# The gradient of plain-56 does not vanish. It **explodes** towards the input, about a
# thousandfold, although BatchNorm gives every forward signal unit variance:
# BatchNorm's own slope does that in deep plain stacks (Yang et al., 2019). One
# learning rate cannot suit layers whose gradients differ by a thousand. With
# shortcuts, first and last layer stay within a small factor.
#
# He et al. had checked for *vanishing* gradients and found none (section 4.1); they
# left the cause open. What you measured holds for fresh weights. It is one good reason,
# and perhaps not the only one.
#
# ## The run: plain against residual, at two depths
# The same budget again, now with shortcuts (kind A: no new parameter). Before you run:
# of the four networks, which two will be close to each other?
# %%
resnet20 = train("depth_garments", variant="resnet20", progress=False)
resnet56 = train("depth_garments", variant="resnet56", progress=False)
# %% tags=["guess"]
runs = {
    "plain-20": plain20.history,
    "plain-56": plain56.history,
    "residual-20": resnet20.history,
    "residual-56": resnet56.history,
}
learning_curves(runs, ["accuracy"])
# %%
gap = resnet56.metrics["train_accuracy"] - plain56.metrics["train_accuracy"]
claim("training accuracy, residual-56 minus plain-56", gap, at_least=0.1)
claim("residual-56 on unseen garments", resnet56.metrics["accuracy"], at_least=0.75)
# %% [markdown]
# ### The same, recorded
# Three epochs and one seed are little. This study trained five networks for
# {record:depth_garments.study.epochs} epochs and
# {record:depth_garments.study.seeds} seeds. First the table, then a dot for each
# seed; accuracy on **training** images and on unseen ones.
# %%
from crashcourse.figures import show_table
from crashcourse.recipes import load_record

study = load_record("depth_garments", "study")
order = ("plain20", "plain56", "resnet20", "resnet56", "preact56")
rows = [
    [
        name,
        study.field(f"{name}.parameters"),
        f"{study.field(f'{name}.train_accuracy'):.3f}",
        f"{study.field(f'{name}.train_accuracy_std'):.3f}",
        f"{study.field(f'{name}.accuracy'):.3f}",
        f"{study.field(f'{name}.accuracy_std'):.3f}",
    ]
    for name in order
]
headers = ["network", "parameters", "training", "±", "unseen", "±"]
show_table(rows, headers, "Accuracy: mean and standard deviation over seeds")
# %%
fig, panels = figure(1, 2, height=2.9, sharey=True)
panel_metrics = {"train_accuracy": "training images", "accuracy": "unseen images"}
for axes, (metric, title) in zip(panels.flat, panel_metrics.items(), strict=True):
    for place, name in enumerate(order):
        values = [100 * seed.metrics[metric] for seed in study.variants[name]]
        colour = list(COLOURS.values())[place]
        axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.7)
    axes.set(title=title, xlabel="accuracy (%)")
panels.flat[0].set_yticks(range(len(order)), order)
panels.flat[0].set_ylim(len(order) - 0.6, -0.4)  # the first on top
show(fig, alt="A dot for each seed: plain56 lies far left of the other four, twice.")
# %%
field = study.field
worse = field("plain56.train_accuracy_max") < field("plain20.train_accuracy_min")
print("every plain-56 fits its training images worse than every plain-20:", worse)
better = field("resnet56.train_accuracy_min") > field("plain56.train_accuracy_max")
print("every residual-56 fits them better than every plain-56:", better)
# %% [markdown]
# Read the plain rows first. On the **training** images 56 layers reach
# {record:depth_garments.study.plain56.train_accuracy:.1%}, 20 layers
# {record:depth_garments.study.plain20.train_accuracy:.1%}: degradation, in every
# seed. Now the residual rows: 56 layers reach
# {record:depth_garments.study.resnet56.train_accuracy:.1%}, 20 layers
# {record:depth_garments.study.resnet20.train_accuracy:.1%}. The shortcut has
# removed the harm of depth.
#
# It has not made depth *useful* here: within the spread of the seeds, 56 layers are no
# better than 20. In the paper they are (CIFAR-10 error: 8.75 % with 20 layers, 6.97 %
# with 56, 6.43 % with 110), after 64,000 updates with augmentation. Six epochs on
# small, grey images cannot show that. Nor do they prove that plain-56 could *never*
# learn its images: it learns more slowly, and here it runs out of time. The paper's
# trained for 64,000 updates and were behind at the end, too. Is it the learning rate?
# In trials with one seed, a rate five times lower and one three times higher both left
# plain-56 between 55 and 65 %.
# %% [markdown]
# ## The reference: one table, five networks
# For ImageNet the block comes in two forms. The *basic* one is yours. The *bottleneck*
# is for the deep ones: a 1×1 convolution reduces the channels to a quarter, the 3×3
# works there, another 1×1 brings them back.
# %%
from crashcourse.classification.resnet import VARIANTS, Bottleneck, ResNet
from crashcourse.figures import network_diagram, show_source

show_source(Bottleneck)
# %% [markdown]
# ResNet-50 is made of bottlenecks. Its *stem* is a 7×7 convolution to 64 channels and
# a max-pool, each with stride 2, as in GoogLeNet. Then come four stages, `layer1` to
# `layer4`, whose 3×3 have 64, 128, 256 and 512 channels. All but the first stage
# begin with stride 2. The end is global average pooling and one dense layer for 1000
# classes.
#
# **Predict the cost.** All from halvings, doublings and k² · in · out.
# %% exercise="resnet.shapes"
# %% [markdown]
# Here is ResNet-50 from the live module, a row for each part:
# %%
with torch.device("meta"):  # shapes without numbers
    network = ResNet("50")
network_diagram(network, (3, 224, 224), by="child", title="ResNet-50")
# %%
from crashcourse.inspection import count_macs, count_parameters

rows = []
for name, (block, blocks) in VARIANTS.items():
    with torch.device("meta"):
        network = ResNet(name)
    macs = count_macs(network, (3, 224, 224)) / 1e9
    kind = "basic" if block is not Bottleneck else "bottleneck"
    counts = "-".join(map(str, blocks))
    size = count_parameters(network)
    rows.append([f"ResNet-{name}", kind, counts, size, f"{macs:.2f}"])
headers = ["network", "block", "blocks", "parameters", "billion MACs"]
show_table(rows, headers, "Table 1 of the paper, counted from the live networks")
# %% [markdown]
# The paper prints 1.8, 3.6, 3.8, 7.6 and 11.3 billion "FLOPs". They are MACs, and the
# last three are lower than ours because the paper's bottleneck has its stride on the
# first 1×1. torchvision and most others moved it to the 3×3, which is more accurate and
# costs more: 4.09 against 3.86 billion for ResNet-50. Parameters are the same.
#
# ResNet-152 has 8 times the layers of VGG-19, and fewer MACs and parameters. Is our
# table right? Against torchvision's own ResNet-18, on photographs:
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs, ours = torchvision.models.resnet18().eval(), ResNet("18").eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
crops = torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:4]]) / 255
with torch.no_grad():
    difference = (ours(crops) - theirs(crops)).abs().max()  # crops (4, 3, 96, 96)
print("largest difference below 1e-5:", bool(difference < 1e-5))
# %% [markdown]
# Parameters have torchvision's names, so its ImageNet weights fit:
# `load_pretrained("resnet50")`, from `crashcourse.classification`, fetches them once
# where there is a network, and else says how to get them. No lesson needs them.
#
# And the networks for small images: a 3×3 stem of 16 channels, three stages of n
# blocks with 16, 32 and 64 channels, one dense layer: 6n + 2 layers. With shortcut A,
# plain and residual networks have the same parameters to the last one.
# %%
for depth in (20, 56, 110):
    with torch.device("meta"):
        pair = CifarResNet(depth), CifarResNet(depth, shortcut="none")
    residual, plain = map(count_parameters, pair)
    print(f"{depth:3} layers: residual {residual:>9,}, plain {plain:>9,}")
# %% [markdown]
# ## What the blocks learned
# A test that no plain network survives (Veit, Wilber, Belongie, 2016): take a trained
# network, remove **one** block, and measure again, without any further training. Only
# blocks whose shape stays can go: put the identity in their place. What will happen to
# plain-20, and to residual-56? Guess.
# %%
held_out = garments("test")
some = held_out.normalised()[:500], held_out.labels[:500]


@torch.no_grad()
def without_each_block(model: nn.Module) -> list[float]:
    """Accuracy with one block removed, for every block that keeps its shape."""
    found = []
    for stage in (model.layer1, model.layer2, model.layer3):
        for place in range(1, len(stage)):
            kept, stage[place] = stage[place], nn.Identity()
            found.append((model(some[0]).argmax(1) == some[1]).float().mean().item())
            stage[place] = kept
    return found


# %% tags=["guess"]
fig, axes = figure(height=2.9)
removed = {"plain-20": plain20.model, "residual-56": resnet56.model}
for (label, model), colour in zip(removed.items(), COLOURS.values(), strict=False):
    values = [100 * value for value in without_each_block(model)]
    places = torch.linspace(0, 100, len(values))
    axes.plot(places, values, "o-", color=colour, label=label)
axes.set(xlabel="place of the removed block (% of the depth)", ylabel="accuracy (%)")
axes.set_ylim(0, 100)
axes.legend()
print("accuracy without each block:")
alt = "Residual-56 loses little by most blocks, more by the first; plain-20 nearly all."
show(fig, alt=alt)
# %% [markdown]
# A plain network breaks: each layer expects exactly what the one before it gives. In
# the residual one, most blocks make small corrections to a signal that passes them
# anyway. What is still wrong, after three epochs, worst first:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = resnet56.model(held_out.normalised())  # (2000, 10)
worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown]
# ## Clear the path: pre-activation
# Look at the block again: after the sum stands a ReLU. The path from block to block
# is not quite clear: whatever is negative is cut, 27 times in 56 layers. A year later
# the same authors moved BatchNorm and ReLU *before* each convolution, into the branch.
# Nothing is left on the path (equations 4 and 5 of He et al., 2016):
#
# $$x_L = x_l + \sum_{i=l}^{L-1} F(x_i) \qquad\quad \frac{\partial E}{\partial x_l} =
# \frac{\partial E}{\partial x_L}\left(1 + \frac{\partial}{\partial x_l}\sum_i
# F(x_i)\right)$$
#
# Block l comes before block L, and E is the loss. Each x is the sum of everything
# before it, and the gradient has a part that passes through untouched.
#
# **Write the block.** Where the shape changes, the shortcut is a 1×1 convolution of
# the activated input, of what the first BatchNorm and ReLU give; no BatchNorm follows
# it. Again no convolution has a bias: the next block begins with a BatchNorm.
# %% exercise="classification.preact_block"
# %% [markdown]
# Follow a signal through 50 fresh blocks of each kind. How much of the input is left?
# We ask for the cosine between what went in and what has arrived: 1 is the same
# direction, 0 nothing in common.
# %%
from crashcourse.classification.resnet_cifar import CifarBlock


@torch.no_grad()
def likeness(block: type[nn.Module], count: int = 50) -> list[float]:
    """Cosine between an input and what it is after 1, 2, 3, ... fresh blocks."""
    x = torch.randn(8, 8, 7, 7, generator=torch.Generator().manual_seed(0))
    found, y = [], x
    for _ in range(count):
        y = block(8, 8)(y)  # (8, 8, 7, 7)
        found.append(F.cosine_similarity(x.flatten(), y.flatten(), dim=0).item())
    return found


# %%
torch.manual_seed(0)
fig, axes = figure(height=2.8)
kinds = {"post-activation (2015)": CifarBlock, "pre-activation (2016)": PreActBlock}
left = {name: likeness(block) for name, block in kinds.items()}
for (name, values), colour in zip(left.items(), COLOURS.values(), strict=False):
    axes.plot(range(1, 51), values, color=colour, label=name)
axes.set(xlabel="blocks", ylabel="likeness to the input", ylim=(0, 1))
axes.legend()
show(fig, alt="Likeness to the input falls with depth; pre-activation lies above post.")
# %%
post, pre = (values[-1] for values in left.values())
claim("likeness after 50 post-activation blocks", post, at_most=0.1)
claim("likeness after 50 pre-activation blocks", pre, at_least=0.2)
# %% [markdown]
# The path is clearer, and that is all this figure says. In the study above, trained to
# the end, pre-activation with 56 layers reached
# {record:depth_garments.study.preact56.train_accuracy:.1%} on training images,
# post-activation {record:depth_garments.study.resnet56.train_accuracy:.1%}; on
# unseen ones {record:depth_garments.study.preact56.accuracy:.1%} and
# {record:depth_garments.study.resnet56.accuracy:.1%}, and there its best seed
# ({record:depth_garments.study.preact56.accuracy_max:.1%}) is behind the other's worst
# ({record:depth_garments.study.resnet56.accuracy_min:.1%}). At 56 layers and six
# epochs, pre-activation brings nothing.
#
# Where it pays is extreme depth. CIFAR-10 errors in the paper (its Table 3): 110
# layers, from 6.61 to 6.37 %; 164 layers (bottlenecks), from 5.93 to 5.46 %; 1001
# layers, from 7.61 to **4.92 %**. Post-activation was worse with 1001 layers than with
# 110; pre-activation goes on improving. Our 1001-layer network, on paper only:
# %%
from crashcourse.classification.resnet_preact import preact_resnet1001

with torch.device("meta"):
    print(f"{count_parameters(preact_resnet1001()):,} parameters in 1001 layers")
# %% [markdown]
# ## ResNeXt: many small transformations
# GoogLeNet splits its input into paths of different kinds. ResNeXt (Xie et al., 2016)
# splits it into many paths of the *same* kind, and adds them:
#
# $$y = x + \sum_{i=1}^{C} T_i(x)$$
#
# C is the *cardinality*, a third dimension beside depth and width. Each path reduces to
# a few channels by 1×1, transforms them by 3×3, and expands. For all paths at once, the
# 3×3 is a convolution in groups: group g sees only its own part of the channels.
#
# **Write the grouped convolution** as it says: split, transform, merge. (There C is
# the number of channels, as everywhere else; the cardinality is called `groups`.)
# %% exercise="classification.split_transform_merge"
# %% [markdown]
# PyTorch has it as an option, `groups`. Same result, in one call:
# %%
maps = torch.randn(1, 128, 14, 14)
weight = torch.randn(128, 4, 3, 3) / 6  # 32 groups of 4 channels
with torch.no_grad():
    yours = split_transform_merge(maps, weight, 32)  # (1, 128, 14, 14)
    at_once = F.conv2d(maps, weight, padding=1, groups=32)
print("equal to 1e-4:", torch.allclose(yours, at_once, atol=1e-4))
# %% [markdown]
# In groups the 3×3 is 32 times cheaper for its width, so it can be twice as wide for
# the same budget. "32×4d" says: 32 groups, of 4 channels in the first stage.
# %%
from crashcourse.classification.resnext import resnext50_32x4d

for name, inner, groups in (("ResNet-50", 64, 1), ("ResNeXt-50 32×4d", 128, 32)):
    reduce, expand = 256 * inner, inner * 256
    print(f"{name}: {reduce:,} + {inner // groups * inner * 9:,} + {expand:,} weights")
with torch.device("meta"):
    networks = {"ResNet-50": ResNet("50"), "ResNeXt-50 32×4d": resnext50_32x4d()}
for name, network in networks.items():
    macs = count_macs(network, (3, 224, 224)) / 1e9
    print(f"{name}: {count_parameters(network):,} parameters, {macs:.2f} billion MACs")
# %% [markdown]
# Equal cost, and a top-1 error on ImageNet of 22.2 % against 23.9 % for ResNet-50
# (single crop of 224; Xie et al., 2016). Lesson 16 takes groups to the limit, one
# channel each.
#
# ## What depth bought
# Top-5 error on ImageNet's test set, ensembles of several networks:
#
# | year | entry | layers | top-5 error |
# |---|---|---|---|
# | 2014 | VGG | 19 | 7.3 % |
# | 2014 | GoogLeNet | 22 | 6.7 % |
# | 2015 | ResNet | up to 152 | **3.57 %** |
# | 2016 | ResNeXt | several | 3.03 % (second place) |
#
# One trained person made 5.1 % (Russakovsky et al., 2015). That is not "better than
# people at seeing": the test asks for one of 1000 classes, 120 of them breeds of dogs.
#
# ## Full scale
# The recipe with all 60,000 garments, twice the channels, the full resolution and 30
# epochs. With a GPU this cell runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("depth_garments")
# %% [markdown]
# ## What changed since
# The shortcut is in nearly every network after 2015: U-Nets, transformers (whose
# blocks are pre-activation blocks), diffusion models. DenseNet, the next lesson,
# concatenates where ResNet adds. Careful initialisation can replace BatchNorm in
# residual networks (Fixup: Zhang et al., 2019). ResNet-50 itself, with today's training
# recipes, gains about four points (80.4 % top-1; Wightman, Touvron and Jégou, 2021) and
# is still the yardstick.
#
# *References:* K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
# recognition", 2015, arXiv 1512.03385. The same, "Identity mappings in deep residual
# networks", 2016, arXiv 1603.05027. S. Xie et al., "Aggregated residual transformations
# for deep neural networks", 2016, arXiv 1611.05431. A. Veit, M. Wilber, S. Belongie,
# "Residual networks behave like ensembles of relatively shallow networks", 2016, arXiv
# 1605.06431. G. Yang et al., "A mean field theory of batch normalization", 2019, arXiv
# 1902.08129. H. Zhang, Y. Dauphin, T. Ma, "Fixup initialization", 2019, arXiv
# 1901.09321. R. Wightman, H. Touvron, H. Jégou, "ResNet strikes back", 2021, arXiv
# 2110.00476. O. Russakovsky et al., "ImageNet large scale visual recognition
# challenge", 2015, arXiv 1409.0575.
