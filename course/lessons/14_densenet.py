# ---
# jupyter:
#   crashcourse:
#     title: DenseNet
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 70
#     needs: [11, 13]
#     about: [classification.densenet]
# ---
# %% [markdown]
# # What if no layer wrote over another's maps?
# A residual network adds what each layer computes to one running sum. That made depth
# possible. It also mixes everything, for good. In about 70 minutes you will measure
# how much is lost, write the layer that loses nothing, count what it saves in weights
# and what it costs in memory, and get most of the memory back.
# %%
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, show, show_table

# %% [markdown]
# ## The problem: a sum cannot be taken apart
# The sum is 7. Was it 3 + 4, or 2 + 5? The sum does not say. Does that matter in a
# network, where a sum has many channels? Take some garments:
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid

held_out = garments("test")
kinds = [held_out.classes[label] for label in held_out.labels[:8].tolist()]
image_grid(held_out.images[:8], kinds, columns=8)
# %% [markdown]
# Send them through the stem and twelve of the pre-activation blocks that you wrote in
# lesson 13, with fresh weights, and note what each block adds.
# %%
from crashcourse.classification.resnet_preact import PreActBlock

images = held_out.normalised()[:200]  # (200, 1, 28, 28)
torch.manual_seed(0)
with torch.no_grad():
    total = nn.Conv2d(1, 16, 3, stride=2, padding=1)(images)  # (200, 16, 14, 14)
    written = [total]
    for _ in range(12):
        after = PreActBlock(16, 16)(total)
        written.append(after - total)  # what this block added: (200, 16, 14, 14)
        total = after


# %% [markdown]
# At the end there is `total`, 16 channels. How much of `written` can still be read from
# it? Take the best linear function of `total`, at every pixel, and look at R²: 1 if it
# gives back exactly what was written, 0 if it does no better than the mean.
# %%
def readable(wanted: Tensor, given: Tensor) -> float:
    """R²: the share of `wanted` that the best linear function of `given` explains."""
    rows = [maps.movedim(1, -1).flatten(0, 2) for maps in (wanted, given)]  # (N·H·W, C)
    target, known = (part - part.mean(0) for part in rows)
    fitted = known @ torch.linalg.lstsq(known, target).solution
    return 1 - ((target - fitted).square().sum() / target.square().sum()).item()


left = [readable(maps, total) for maps in written]
# %% [markdown]
# The last block has added its maps just now, the stem long ago. Whose maps can be read
# best? Guess, then look.
# %% tags=["guess"]
fig, axes = figure(height=2.8)
axes.bar(range(13), left, color=[COLOURS["orange"], *[COLOURS["blue"]] * 12])
axes.axhline(1, color=COLOURS["black"], linestyle="--")
axes.set_xticks(range(13), ["stem", *map(str, range(1, 13))])
axes.set(xlabel="written by block", ylabel="still readable (R²)", ylim=(0, 1.1))
print("what can still be read from the last sum:")
show(fig, alt="A bar for each block: about a quarter of it is left; more of the stem.")
# %%
claim("readable of any block's maps, at most", max(left[1:]), at_most=0.6)
claim("readable of the stem's maps", left[0], at_least=0.5)
# %% [markdown]
# About a quarter of what each block wrote is left, of the last one hardly more than of
# the first. Thirteen authors have written into the same 16 channels. Training can
# choose *what* is lost. It cannot choose to lose nothing: 13 · 16 maps do not fit into
# 16. A later layer that needs an early map has to compute it anew, with weights of its
# own.
#
# The sum has a second price. What is added must be as wide as the sum: each block
# writes 16 maps, whether or not it has 16 new things to say.
#
# ## The idea: side by side
# Do not add. **Concatenate**, as GoogLeNet does with its paths:
# %%
old = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]  # (1, 1, 2, 2)
new = torch.tensor([[10.0, 20.0], [30.0, 40.0]])[None, None]  # (1, 1, 2, 2)
both = torch.cat([old, new], dim=1)  # (1, 2, 2, 2)
print("the sum:       ", (old + new).flatten().tolist())
print("side by side:  ", both.flatten(2).tolist())
ones = torch.ones(1, 2, 1, 1)  # a 1×1 convolution from 2 channels to 1
print("the sum of both:", F.conv2d(both, ones).flatten().tolist())
# %% [markdown]
# Nothing is lost, and nothing is given up: the last line adds the two maps by a 1×1
# convolution whose weights are 1. Whoever reads the maps can add them, or subtract
# them, or ignore one, with weights of its own.
#
# DenseNet (Huang, Liu, van der Maaten, Weinberger, 2016) does this with *every* layer.
# Layer l sees the input of its block and the maps of all layers before it:
#
# $$x_l = H_l([x_0, x_1, \dots, x_{l-1}]) \qquad \text{(equation 2)}$$
#
# The brackets are concatenation along the channels, and H is a layer. Since old maps
# stay within reach, a layer can be narrow: it adds only k new channels, with k = 12 or
# 32. The paper calls k the *growth rate*. Six layers with k = 8, behind an input of 16
# channels:
# %%
names = ["input", *(f"layer {place}" for place in range(1, 7))]
sizes = [16] + [8] * 6
fig, axes = figure(height=3.0)
for reader in range(1, 8):
    start = 0
    for size, colour in zip(sizes[:reader], COLOURS.values(), strict=False):
        axes.barh(reader, size, left=start, color=colour, edgecolor="white")
        start += size
axes.set_yticks(range(1, 8), [*(f"layer {n} sees" for n in range(1, 7)), "block gives"])
axes.invert_yaxis()
axes.set(xlabel="channels, each colour from another layer")
show(fig, alt="A staircase: each layer sees 8 channels more than the one before it.")
# %% [markdown]
# ## The layer
# A layer is BatchNorm, ReLU, convolution, in the order of pre-activation. The channels
# that it sees grow and grow, so a 1×1 convolution first reduces them to 4k, and the 3×3
# costs the same in every layer. The paper marks networks with this *bottleneck* by a B.
#
# **Write the layer.** It receives the list of all maps so far, and returns its own k
# new ones.
# %% exercise="classification.dense_layer"
# %% [markdown]
# The block around it is a list that grows:
# %%
torch.manual_seed(0)
layers = [BottleneckLayer(16 + place * 8, 8) for place in range(6)]
maps = [torch.randn(2, 16, 7, 7)]
for layer in layers:
    channels = sum(part.shape[1] for part in maps)
    maps.append(layer(maps))  # (2, 8, 7, 7)
    print(f"sees {channels:2} channels, adds", tuple(maps[-1].shape[1:]))
out = torch.cat(maps, dim=1)  # (2, 64, 7, 7)
print("the block gives", tuple(out.shape[1:]))
print("its input is in there, untouched:", torch.equal(out[:, :16], maps[0]))
# %% [markdown]
# Every layer has a BatchNorm in front, over *all* it sees. So the maps of layer 1 are
# normalised again by layers 2, 3, 4, ...
# %% exercise="densenet.own_norm"
# %% [markdown]
# ### When does the bottleneck pay?
# A layer that sees C channels has 9 · C · k weights without a bottleneck, and 4k · C +
# 9 · 4k · k with one. Let k = 12. For a block's first layers, which is more? Guess.
# %% tags=["guess"]
k, seen = 12, torch.arange(24, 241, 12)
fig, axes = figure(height=2.8)
axes.plot(seen, 9 * seen * k / 1000, label="3×3 alone")
axes.plot(seen, (4 * k * seen + 36 * k * k) / 1000, label="1×1 to 4k, then 3×3")
axes.axvline(7.2 * k, color=COLOURS["black"], linestyle="--")
axes.set(xlabel="channels that the layer sees (C)", ylabel="thousand weights", ylim=0)
axes.legend()
print("weights of a layer, by what it sees:")
alt = "Two rising lines cross at 86 channels; the one with the bottleneck is flatter."
show(fig, alt=alt)
# %% [markdown]
# Both are equal at C = 7.2 k, 86 channels here. Below, the bottleneck is the dearer
# form. It pays in long blocks: the third block of DenseNet-121 has k = 32 and goes up
# to 992 channels, far beyond 230.
#
# ## Between blocks
# Maps of different sizes cannot be concatenated. So a network is made of several dense
# blocks, and a *transition* between two of them halves the maps. It is also the place
# to make the channels fewer: of m channels it keeps ⌊θm⌋. With θ = 0.5 the paper speaks
# of *compression*, and writes C: DenseNet-BC has bottlenecks and compression.
# %% exercise="classification.transition"
# %% [markdown]
# Your transition after the block from above:
# %%
halved = Transition(64, 0.5)(out)
print(tuple(out.shape), "→", tuple(halved.shape))
# %% [markdown]
# The paper pools last. A 1×1 convolution treats each pixel alike, so the mean of four
# results is the result of the mean:
# %%
active, mix = torch.rand(1, 64, 14, 14), torch.randn(32, 64, 1, 1)
late = F.avg_pool2d(F.conv2d(active, mix), 2)  # 14 · 14 · 64 · 32 multiply-adds
early = F.conv2d(F.avg_pool2d(active, 2), mix)  # 7 · 7 · 64 · 32
print("equal to 1e-4:", torch.allclose(late, early, atol=1e-4))
# %% [markdown]
# Pooling between ReLU and convolution would give the same for a quarter of the
# multiply-adds: in DenseNet-121, with three transitions, 8 % of the whole network's.
# The reference keeps the paper's order, as everyone does.
#
# **Count the channels** of a whole network. It is all additions and halvings.
# %% exercise="classification.channels_through"
# %%
counts = channels_through(64, 32, [6, 12, 24, 16], 0.5)
parts = ["stem"]
for place in range(1, 5):
    parts += [f"transition {place - 1}"] * (place > 1) + [f"block {place}"]
for name, count in zip(parts, counts, strict=True):
    print(f"{name:12} {count:5} channels")
# %% [markdown]
# ## The reference
# The package's block. Its layers have three options more than yours: no bottleneck,
# dropout, and the memory saver that comes at the end of this lesson.
# %%
from crashcourse.classification.densenet import CONFIGURATIONS, DenseBlock, DenseNet
from crashcourse.figures import network_diagram, show_source

show_source(DenseBlock)
# %% [markdown]
# The same by hand, with the block's own weights:
# %%
torch.manual_seed(0)
block, x = DenseBlock(3, 5, 2).eval(), torch.randn(2, 5, 4, 4)
with torch.no_grad():
    seen = x
    for layer in block.values():
        narrow = layer.conv1(layer.norm1(seen).relu())  # (2, 8, 4, 4)
        fresh = layer.conv2(layer.norm2(narrow).relu())  # (2, 2, 4, 4)
        seen = torch.cat([seen, fresh], dim=1)  # (2, 7, 4, 4), then 9, then 11
    print("equal to 1e-6:", torch.allclose(block(x), seen, atol=1e-6))
# %% [markdown]
# **Predict DenseNet-121**: 64 channels after the stem, k = 32, blocks of 6, 12, 24 and
# 16 layers. The stem is ResNet's: a 7×7 with stride 2 and a max-pool.
# %% exercise="densenet.shapes"
# %%
from dataclasses import replace

from crashcourse.inspection import count_macs, count_parameters, summarize

with torch.device("meta"):  # shapes without numbers
    network = DenseNet(CONFIGURATIONS["121"])
rows = summarize(network.features, (3, 224, 224), by="child")
rows = [replace(row, name=row.name.removeprefix("dense")) for row in rows]
network_diagram(rows, title="DenseNet-121")
# %% [markdown]
# After the last block come BatchNorm, ReLU, global average pooling and one dense layer.
# 121 is the number of layers with weights: 1 + 2 · 58 + 3 + 1.
#
# Now the authors' networks, built and counted here, with the errors that they report:
# top-1 on ImageNet (one crop), and on CIFAR-10 with augmentation.
# %%
errors = {"121": 25.0, "169": 23.6, "201": 22.5, "161": 22.2}
rows = []
for name, error in errors.items():
    with torch.device("meta"):
        network = DenseNet(CONFIGURATIONS[name])
    macs, growth = count_macs(network, (3, 224, 224)), CONFIGURATIONS[name].growth
    size = count_parameters(network)
    rows.append([f"DenseNet-{name}", growth, size, f"{macs / 1e9:.2f}", f"{error} %"])
headers = ["network", "k", "parameters", "billion MACs", "error"]
show_table(rows, headers, "For ImageNet, 224×224")
# %%
from crashcourse.classification.densenet_cifar import densenet_basic, densenet_bc

small = [
    (densenet_basic, 40, 12, "1.0", 5.24),
    (densenet_basic, 100, 12, "7.0", 4.10),
    (densenet_basic, 100, 24, "27.2", 3.74),
    (densenet_bc, 100, 12, "0.8", 4.51),
    (densenet_bc, 250, 24, "15.3", 3.62),
    (densenet_bc, 190, 40, "25.6", 3.46),
]
rows = []
for builder, depth, growth, printed, error in small:
    with torch.device("meta"):
        size = count_parameters(builder(depth, growth))
    form = "BC" if builder is densenet_bc else "basic"
    rows.append([form, depth, growth, size, f"{printed} M", f"{error:.2f} %"])
headers = ["form", "layers", "k", "parameters", "paper prints", "error"]
show_table(rows, headers, "For CIFAR-10, 32×32")
# %% [markdown]
# Look at the rows with 100 layers and k = 12. Bottlenecks and compression leave a ninth
# of the weights, 0.77 million, and cost 0.4 points. ResNet-1001 of lesson 13, with 10
# million, made 4.92 % in its paper. On ImageNet, DenseNet-201 needs 20 million
# parameters for what ResNet-101, with 45 million, does: 22.5 % against 22.6 %
# (torchvision's one-crop accuracy: 77.4 %).
#
# Is ours right? Against torchvision's DenseNet-121, with equal (random) weights, on
# photographs:
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs = torchvision.models.densenet121().eval()
ours = DenseNet(CONFIGURATIONS["121"]).eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
crops = torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:4]]) / 255
with torch.no_grad():
    expected, got = theirs(crops), ours(crops)  # (4, 1000)
difference = (got - expected).abs().max() / expected.abs().max()
print("relative difference below 1e-5:", bool(difference < 1e-5))
del theirs, ours
# %% [markdown]
# ## The run
# A DenseNet-BC for garments: 40 layers, k = 8, three blocks of six. 10,000 images, two
# epochs.
# %%
from crashcourse.figures import learning_curves
from crashcourse.recipes import load_record, train

run = train("densenet_garments", progress=False)
learning_curves(run.history, ["accuracy"])
# %%
print(f"{count_parameters(run.model):,} parameters")
claim("accuracy on unseen garments", run.metrics["accuracy"], at_least=0.8)
# %% [markdown]
# ### Concatenate, add, or replace
# Does concatenation help, or is it just a good network? A fair comparison changes one
# thing only. Four networks, all with three blocks of six layers:
#
# - *dense*: the one above.
# - *residual*: the same kind of layer, BN-ReLU-1×1-BN-ReLU-3×3, but its maps are
#   **added** to what was there.
# - *plain*: the same again, but its maps **replace** what was there.
# - *basic*: dense, without bottlenecks and compression.
#
# The widths of the residual and of the plain network are such that every block has as
# many weights as the dense one's: as deep, as large, as many multiply-adds. That makes
# 19 channels in the first block and 21 in the others. The dense network's last layer
# reads 80. Which will be best? Which worst?
# %% tags=["guess"]
study = load_record("densenet_garments", "study")
order = ("dense", "residual", "plain", "basic")
rows = [
    [
        name,
        study.field(f"{name}.parameters"),
        f"{study.field(f'{name}.accuracy'):.1%}",
        f"{study.field(f'{name}.accuracy_std'):.1%}",
        f"{study.field(f'{name}.loss'):.3f}",
    ]
    for name in order
]
headers = ["network", "parameters", "accuracy", "±", "loss"]
print("unseen garments, mean and standard deviation over seeds:")
show_table(rows, headers, "Recorded: concatenate, add, replace")
# %%
fig, axes = figure(height=2.6)
for place, name in enumerate(order):
    values = [100 * seed.metrics["accuracy"] for seed in study.variants[name]]
    colour = list(COLOURS.values())[place]
    axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.7)
axes.set_yticks(range(len(order)), order)
axes.set_ylim(len(order) - 0.6, -0.4)  # the first on top
axes.set(xlabel="accuracy on unseen garments (%)")
show(fig, alt="A dot for each seed: dense and basic lead, then residual, then plain.")
# %%
for better, worse in (("dense", "residual"), ("residual", "plain")):
    apart = study.field(f"{better}.accuracy_min") > study.field(f"{worse}.accuracy_max")
    print(f"every {better} run is better than every {worse} one:", apart)
# %% [markdown]
# The dense network reaches {record:densenet_garments.study.dense.accuracy:.1%}, the
# residual one {record:densenet_garments.study.residual.accuracy:.1%}, the plain one
# {record:densenet_garments.study.plain.accuracy:.1%}. Equal depth, and weights
# and multiply-adds equal to 3 %: only the way of joining differs.
#
# In trials with one seed, a learning rate half as high and one twice as high left this
# order as it is.
#
# Basic against dense: bottlenecks and compression leave out 39 % of the weights. The
# difference in accuracy, {record:densenet_garments.study.basic.accuracy:.1%} against
# {record:densenet_garments.study.dense.accuracy:.1%}, is within the spread of the
# seeds; the loss of *basic* is a little lower.
#
# What the table does **not** say: that ResNets are worse. This residual network keeps
# DenseNet's plan. A ResNet of equal cost would be built in another way, with channels
# that double from stage to stage.
#
# ## Who reads whom?
# Since old maps stay, we can ask which of them a layer uses. The filters of its 1×1
# have a weight for each channel that it sees: first those of the block's input, then 8
# for each layer before. Figure 5 of the paper shows the mean size of these weights for
# each pair of source and reader.
#
# **Write it**: one number for each source.
# %% exercise="classification.use_of_sources"
# %% [markdown]
# The heat map for the second block, after training. Readers from left to right, sources
# from top to bottom. Beside it, the same for the network as it was **before** the
# training: equal seed, equal first weights. What should the second one look like?
# %%
from crashcourse.recipes.densenet import small_densenet

torch.manual_seed(0)
untrained = small_densenet()


def heat(model: nn.Module) -> Tensor:
    """Mean |weight| in the second block: (6 sources, 6 readers), NaN where unseen."""
    table = torch.full((6, 6), float("nan"))
    for reader, layer in enumerate(model.features.denseblock2.values()):
        sources = [32] + [8] * reader
        weight = layer.conv1.weight.detach()  # (32, C, 1, 1)
        table[: reader + 1, reader] = use_of_sources(weight, sources)
    return table


# %%
def triangles(tables: dict[str, Tensor], label: str, limits: tuple, alt: str) -> None:
    """Draw (sources, readers) tables side by side, with one scale of colours."""
    fig, panels = figure(1, len(tables), height=2.8, sharey=True)
    for axes, (title, table) in zip(panels.flat, tables.items(), strict=True):
        picture = axes.imshow(table, cmap="viridis", vmin=limits[0], vmax=limits[1])
        axes.set(title=title, xlabel="read by layer")
        axes.set_xticks(range(6), range(1, 7))
        axes.grid(False)
    panels.flat[0].set_yticks(range(6), names[:6])
    fig.colorbar(picture, ax=panels, label=label, shrink=0.8, extend="max")
    show(fig, alt=alt)


# %% tags=["guess"]
print("mean |weight| of the second block, by source and reader:")
both = {"trained": heat(run.model), "untrained": heat(untrained)}
alt = "Two nearly equal triangles: brighter for early readers, even along the sources."
triangles(both, "mean |weight|", (0.1, 0.2), alt)
# %%
inside = ~both["trained"].isnan()
pairs = torch.stack([table[inside] for table in both.values()])  # (2, 21)
claim("correlation of the two", pairs.corrcoef()[0, 1], at_least=0.9)
# %% [markdown]
# They are nearly equal. Two epochs have scaled all the weights down a little (weight
# decay), and their sizes still tell how they were *drawn*: He's initialisation draws
# smaller ones where more channels come in, so later readers are darker. From the left
# picture alone one would conclude that each layer spreads its attention over all
# sources. Without the right one, that is a conclusion about `kaiming_normal_`. (The
# paper's network trained for 300 epochs, long enough for unused weights to shrink.)
#
# A question about use needs an experiment. Take a map away from **one** reader: give it
# the map's mean instead, the same at every pixel. All other readers keep the map. How
# much does the loss rise?
# %%
some = held_out.normalised()[:200], held_out.labels[:200]


def muted(source: int):
    """A hook for a layer: one tensor of its list becomes constant."""

    def hook(layer: nn.Module, inputs: tuple[list[Tensor]]) -> tuple[list[Tensor]]:
        maps = list(inputs[0])
        mean = maps[source].mean((0, 2, 3), keepdim=True)  # (1, C, 1, 1)
        maps[source] = mean.expand_as(maps[source])
        return (maps,)

    return hook


# %%
@torch.no_grad()
def rises(model: nn.Module, place: int) -> Tensor:
    """How much the loss rises, for each source and reader of a block: (6, 6)."""
    received, tail = model.features[:place](some[0]), model.features[place:]

    def loss() -> float:
        features = tail(received).relu().mean((2, 3))  # (200, C)
        return F.cross_entropy(model.classifier(features), some[1]).item()

    found, before = torch.full((6, 6), float("nan")), loss()
    for reader, layer in enumerate(tail[0].values()):
        for source in range(reader + 1):
            hook = layer.register_forward_pre_hook(muted(source))
            found[source, reader] = loss() - before
            hook.remove()
    return found


# %% tags=["guess"]
print("rise of the loss, by what is taken from whom:")
found = {f"block {n}": rises(run.model, 2 * n - 1) for n in (1, 2, 3)}
alt = "Three triangles: little but the top rows, the block's input, is bright."
triangles(found, "rise of the loss", (0, 0.15), alt)
# %%
for name in ("block 2", "block 3"):
    far = found[name][0, 2:].sum()
    claim(f"{name}: rises, its input taken from layers 3 to 6", far, at_least=0.02)
top = sum(table[0].sum() for table in found.values())
share = top / sum(table.nansum() for table in found.values())
claim("share of the top rows in all rises", share, at_least=0.5)
# %% [markdown]
# The top rows are bright: layers read the **input of the block** directly, over the
# heads of the layers between. A plain network has no such connection. (The input is
# also the widest source: 16, 32 and 40 channels, against 8.) Of the other connections,
# few matter much by themselves after two epochs.
#
# ## What it costs: memory
# 0.77 million weights are 3 megabytes. Training needs another kind of memory: autograd
# keeps, from the forward pass to the backward pass, what each operation will need for
# its gradient. In a dense block every layer first makes one tensor of all it sees.
# %% exercise="densenet.memory_growth"
# %% [markdown]
# PyTorch tells what it keeps: `saved_tensors_hooks` calls a function with every tensor
# that is saved. Add up their memory, each piece once, and leave out the weights.
# %%
from torch.autograd.graph import saved_tensors_hooks


def kept(model: nn.Module, images: Tensor) -> float:
    """MiB that autograd keeps for the backward pass, without the weights."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    pieces = {}

    def note(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        pieces[memory.data_ptr()] = memory.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        model(images)
    return sum(size for at, size in pieces.items() if at not in weights) / 2**20


# %% [markdown]
# Predict it. Layer l, which sees C + (l − 1)k channels, keeps four things: the
# concatenation (for BatchNorm's gradient), the normalised and rectified copy (for the
# 1×1's), and the same two behind the bottleneck, of 4k channels each. A channel of one
# map of 16×16 is 256 numbers of 4 bytes.
# %%
channel = 16 * 16 * 4 / 2**20  # MiB
image = torch.randn(1, 24, 16, 16)
depths = [4, 8, 16, 24, 32, 48, 64]
naive = [kept(DenseBlock(depth, 24, 12), image) for depth in depths]
predicted = [
    channel * sum(2 * (24 + 12 * place) + 2 * 48 for place in range(depth))
    for depth in depths
]
off = max(abs(a / b - 1) for a, b in zip(naive, predicted, strict=True))
print("prediction right to 1 %:", off < 0.01)
claim("concatenated: 64 layers / 32 layers", naive[-1] / naive[-3], at_least=3)
# %% [markdown]
# Twice the layers, three and a half times the memory, on the way to four: quadratic.
#
# ### Do not keep it: compute it again
# The concatenation and its normalised copy are cheap to make, and huge. So throw them
# away after the forward pass, and when the backward pass arrives at a layer, make them
# again from the maps, which are there anyway. This is *checkpointing*; for DenseNets it
# is due to Pleiss et al. (2017). PyTorch has it as a function:
# %%
from torch.utils.checkpoint import checkpoint

calls = []


def cube(x: Tensor) -> Tensor:
    """x³, and a note that it was computed."""
    calls.append("computed")
    return x * x * x


x = torch.tensor(2.0, requires_grad=True)
y = checkpoint(cube, x, use_reentrant=False)
print("forward: ", len(calls), "call, y =", y.item())
y.backward()
print("backward:", len(calls), "calls, gradient", x.grad.item())
# %% [markdown]
# What is left to keep is the maps themselves, k channels a layer, and the two tensors
# behind the bottleneck, 8k. How will it grow with depth?
# %% tags=["guess"]
saving = [kept(DenseBlock(n, 24, 12, checkpointing=True), image) for n in depths]
fig, axes = figure(height=3.2)
axes.plot(depths, predicted, color=COLOURS["vermilion"], label="predicted")
axes.plot(depths, naive, "o", color=COLOURS["vermilion"], label="concatenated")
axes.plot(depths, saving, "s-", color=COLOURS["blue"], label="checkpointed")
axes.set(xlabel="layers of the block", ylabel="kept for backward (MiB)", ylim=0)
axes.legend()
print("kept for the backward pass:")
show(fig, alt="Concatenated: a parabola, on the prediction. Checkpointed: a low line.")
# %%
claim("checkpointed: 64 layers / 32 layers", saving[-1] / saving[-3], at_most=2.05)
claim("64 layers: concatenated / checkpointed", naive[-1] / saving[-1], at_least=7)
# %% [markdown]
# Linear. Is anything else different? The same network with and without, the same
# weights, the same batch: compare every gradient and every running statistic, to the
# last bit.
# %%
plain, saver = small_densenet(), small_densenet(checkpointing=True)
saver.load_state_dict(plain.state_dict())
for model in (plain, saver):
    F.cross_entropy(model(some[0][:64]), some[1][:64]).backward()
gradients = zip(plain.parameters(), saver.parameters(), strict=True)
print("equal gradients:", all(torch.equal(a.grad, b.grad) for a, b in gradients))
statistics = zip(plain.buffers(), saver.buffers(), strict=True)
print("equal statistics:", all(torch.equal(a, b) for a, b in statistics))
# %% [markdown]
# The second line is not for nothing. Whatever is computed twice also *acts* twice: a
# BatchNorm inside a checkpoint moves its running mean twice in each step. The package's
# layer holds it still while it recomputes. Without that:
# %%
norm = nn.BatchNorm2d(3)
x = torch.randn(4, 3, 5, 5, requires_grad=True)
checkpoint(norm, x, use_reentrant=False).sum().backward()
print("one step, batches counted:", norm.num_batches_tracked.item())
ours = saver.features.denseblock1.denselayer1.norm1
print("one step, in our network: ", ours.num_batches_tracked.item())
# %% [markdown]
# ### A whole step
# What is *kept* is the largest part of what is *held*. Follow all the memory that
# tensors hold through one step, forward and backward, operation by operation:
# %%
from crashcourse.memory import memory_trace

batch = torch.randn(8, 24, 16, 16)
traces = {}
for name, flag in (("concatenated", False), ("checkpointed", True)):
    block = DenseBlock(24, 24, 12, checkpointing=flag)
    block(batch).sum().backward()  # so that the gradients are there before
    held = memory_trace(lambda block=block: block(batch).sum().backward())
    traces[name] = torch.tensor(held) / 2**20  # MiB after every operation
# %%
fig, axes = figure(height=3.0)
for (name, held), colour in zip(traces.items(), ("vermilion", "blue"), strict=True):
    along = torch.linspace(0, 100, len(held))
    axes.plot(along, held, color=COLOURS[colour], label=name)
axes.set(xlabel="operations of the step (%)", ylabel="held by tensors (MiB)", ylim=0)
axes.legend()
show(fig, alt="Two mountains: the checkpointed one is less than half as high.")
peaks = {name: float(held.max()) for name, held in traces.items()}
ratio = peaks["concatenated"] / peaks["checkpointed"]
claim("peak: concatenated / checkpointed", ratio, at_least=2)
# %% [markdown]
# Both rise through the forward pass and fall through the backward pass, as autograd
# frees layer after layer what it needs no more. The teeth on the right slope of the
# lower curve are layers that are being computed again, one at a time.
#
# The price is time. Processor time, the fastest of five steps each, taken in turns:
# %%
from time import process_time


def seconds(model: nn.Module) -> float:
    """Processor time of a forward and backward pass over 64 garments."""
    start = process_time()
    F.cross_entropy(model(some[0][:64]), some[1][:64]).backward()
    return process_time() - start


times = [(seconds(plain), seconds(saver)) for _ in range(5)]
fastest = [min(column) for column in zip(*times, strict=True)]
measured("time of a step: checkpointed / concatenated", fastest[1] / fastest[0])
# %% [markdown]
# Pleiss's implementation reports 15 to 20 % on a GPU. What is computed again is a
# concatenation, a BatchNorm, a ReLU and a 1×1 convolution; the 3×3 is not.
#
# Now the whole networks, for **one** image in training, beside ResNets of like depth or
# accuracy. You know their weights. Who keeps most?
# %%
from crashcourse.classification.densenet import densenet121
from crashcourse.classification.resnet import resnet50
from crashcourse.classification.resnet_cifar import resnet110

networks = {
    "ResNet-110": (resnet110, 32),
    "DenseNet-BC-100": (densenet_bc, 32),
    "ResNet-50": (resnet50, 224),
    "DenseNet-121": (densenet121, 224),
}
# %% tags=["guess"]
print("weights, and what one image in training keeps:")
rows = []
for name, (build, side) in networks.items():
    model, image = build(), torch.randn(1, 3, side, side)
    used = [kept(model, image)]
    if "Dense" in name:
        used.append(kept(build(checkpointing=True), image))
    weights = count_parameters(model) * 4 / 2**20
    cells = [f"{mib:.1f}" for mib in (weights, *used)] + [""] * (2 - len(used))
    rows.append([name, f"{side}×{side}", *cells])
headers = ["network", "image", "weights", "kept for one image", "checkpointed"]
show_table(rows, headers, "MiB: few weights are not little memory")
# %% [markdown]
# DenseNet-BC-100 has less than half the weights of ResNet-110, and keeps four times as
# much. DenseNet-121 has a third of ResNet-50's, and keeps half as much again. With
# checkpointing it keeps less than ResNet-50. The authors report that the largest
# network for CIFAR, 190 layers with k = 40, needed four GPUs with plain concatenation
# and then fitted on one.
#
# ## Full scale
# The paper's DenseNet-BC with 100 layers and k = 12, on all 60,000 garments at full
# resolution, for 30 epochs; and the residual network of its size. With a GPU this cell
# runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("densenet_garments")
# %% [markdown]
# ## What changed since
# Concatenation of early and late maps is everywhere that detail matters: in U-Nets, in
# detectors, in the dense blocks of super-resolution networks (lesson 52). As a backbone
# DenseNet lost to networks that are faster for the same accuracy: few weights and few
# multiply-adds do not help where moving maps through memory takes the time. VoVNet (Lee
# et al., 2019) keeps the idea and concatenates once, at the end of a block.
#
# *References:* G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely connected
# convolutional networks", 2016, arXiv 1608.06993; the errors of the tables are in the
# authors' repository, liuzhuang13/DenseNet. G. Pleiss et al., "Memory-efficient
# implementation of DenseNets", 2017, arXiv 1707.06990. Y. Lee et al., "An energy and
# GPU-computation efficient backbone network for real-time object detection", 2019,
# arXiv 1904.09730.
