# ---
# jupyter:
#   crashcourse:
#     title: SENet
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 60
#     needs: [10, 13]
#     about: [classification.senet]
# ---
# %% [markdown]
# # A few numbers for the whole image
# A convolution sees a small window and treats every image alike. What if a network
# could ask, *for this image*, which of its channels matter? In about 60 minutes you
# will give it that question, see what it answers at which depth, measure what the
# answer is worth, and meet the block that won the last ImageNet challenge.
# %%
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import show_table

# %% [markdown]
# ## The problem: what is far away
# Here is a question made for the purpose. Each image is a T-shirt or a pair of
# trousers, in the right part. In the left margin there may be a striped mark. **Without
# the mark**, answer 1 for trousers. **With the mark**, answer 1 for the T-shirt: the
# mark turns the meaning round.
# %%
from dataclasses import replace

from crashcourse.datasets import ImageSet, garments


def marked_garments(split: str, seed: int) -> tuple[ImageSet, Tensor]:
    """T-shirts and trousers, half of them with a mark; and which have it."""
    data = garments(split)
    keep = data.labels < 2  # 0: T-shirt, 1: trousers
    images = F.pad(data.images[keep], (8, 0))  # (N, 1, 28, 36)
    draw = torch.Generator().manual_seed(seed)
    mark = torch.rand(len(images), generator=draw) < 0.5
    images[mark, :, :, 1:5:2] = 255  # two bright columns
    labels = (data.labels[keep] == 1) ^ mark  # exclusive or
    classes = ("0", "1")
    return replace(data, images=images, labels=labels.long(), classes=classes), mark


# %%
from crashcourse.figures import image_grid

training, _ = marked_garments("train", seed=0)
held_out, has_mark = marked_garments("test", seed=1)
titles = [f"answer {int(label)}" for label in held_out.labels[:8]]
image_grid(held_out.images[:8], titles, columns=4)


# %% [markdown]
# The network: two 3×3 convolutions, the mean of each map, one dense layer. An output
# of the second convolution sees 7×7 pixels, so none sees mark *and* garment. We leave
# a place free between the two convolutions, for later.
# %%
def small_network(between: nn.Module) -> nn.Sequential:
    """(N, 1, H, W) -> (N, 2), with a module of your choice after the first layer."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        between,  # (N, 16, H/2, W/2)
        *(nn.Conv2d(16, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
    )


# %%
from functools import partial

from crashcourse.recipes import classify, evaluate_classifier
from crashcourse.training import History, Machine, fit, one_cycle


def test_accuracy(model: nn.Module) -> dict[str, float]:
    scores = evaluate_classifier(model, held_out.normalised(), held_out.labels)
    return {"test_accuracy": scores["accuracy"]}


def learn(model: nn.Module) -> History:
    """Eight epochs on the marked garments."""
    adam, cpu = partial(torch.optim.Adam, lr=0.02), Machine(device="cpu")
    options = {"epochs": 8, "optimizer": adam, "schedule": one_cycle(momentum=False)}
    options |= {"evaluate": test_accuracy, "machine": cpu, "progress": False}
    return fit(model, training.batches(64, seed=0), classify, **options)


# %% [markdown]
# What will it reach? Half of all answers are 1, so guessing gives 50 %.
# %% tags=["guess"]
torch.manual_seed(0)
without = learn(small_network(nn.Identity()))
print("after eight epochs, on unseen images:")
claim("accuracy with convolutions alone", without.last("test_accuracy"), at_most=0.7)
# %% [markdown]
# It guesses. Some of its channels find trousers, others find marks. In the mean and
# the dense layer these findings are **added**. But here one of them must turn the
# other round, and no sum does that.
#
# A deeper network could: far enough up, one output sees everything. Early layers
# never do. And in all of them the weights that join the channels are the same for
# every image.
#
# ## The idea: squeeze, excite, scale
# Hu et al. (2017) add a side path. It looks at the *whole* image, but only at one
# number for each channel. Two channels of 2×2 pixels:
# %%
maps = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]], [[0.0, 2.0], [0.0, 2.0]]]])
means = maps.mean((2, 3))  # (N, C) = (1, 2)
print("maps ", tuple(maps.shape), "→ means", means.tolist())
# %% [markdown]
# That was the **squeeze**, equation 2: z = the mean of each map. Now the
# **excitation**, equation 3. Two dense layers turn the C means into C scores, with
# ReLU between them, and a sigmoid turns scores into *gates* between 0 and 1:
#
# $$s = \sigma\big(W_2\,\mathrm{ReLU}(W_1 z)\big)$$
# %%
W1 = torch.tensor([[0.5, -1.0]])  # (C / r, C): one unit, so r = 2
W2 = torch.tensor([[2.0], [-2.0]])  # (C, C / r)
units = F.relu(means @ W1.T)  # (1, 1)
scores = units @ W2.T  # (1, 2)
gates = scores.sigmoid()  # (1, 2)
print("units", units.tolist(), "scores", scores.tolist())
print("gates", [round(gate, 2) for gate in gates[0].tolist()])
# %% [markdown]
# Last, **scale**, equation 4: every pixel of a channel times the channel's gate.
# %%
scaled = maps * gates[:, :, None, None]  # (1, 2, 2, 2) times (1, 2, 1, 1)
print([[round(pixel, 2) for pixel in one.flatten().tolist()] for one in scaled[0]])
# %% [markdown]
# The first channel is large here, so the first gate opens and the second closes. Every
# channel is weighed by *every other*, and another image gets other gates. This product
# of two findings is what the sum above could not make.
#
# Why a sigmoid? Compare with a softmax over four scores, and raise the first score:
# %%
for first in (2.0, 4.0):
    scores = torch.tensor([first, 2.0, 2.0, 2.0])
    for kind in (torch.sigmoid, partial(torch.softmax, dim=0)):
        name = "sigmoid" if kind is torch.sigmoid else "softmax"
        values = [round(gate, 2) for gate in kind(scores).tolist()]
        print(f"first score {first}: {name} {values}")
# %% exercise="senet.why_sigmoid"
# %% [markdown]
# **Write the block.** The number of units between the two layers is C // r; r is the
# *reduction*.
# %% exercise="classification.se_block"
# %% [markdown]
# Put your block in the free place. Nothing else changes. What will it reach now?
# %% tags=["guess"]
torch.manual_seed(0)
gated = small_network(SEBlock(16, reduction=4))
with_gates = learn(gated)
print("after eight epochs, on unseen images:")
claim("accuracy with gates", with_gates.last("test_accuracy"), at_least=0.8)
# %%
from crashcourse.figures import learning_curves

learning_curves(
    {"convolutions alone": without, "with an SE block": with_gates}, ["accuracy"]
)
# %% [markdown]
# So the block can carry a fact from one end of the image to the other. Which gates
# does the mark move? A gate is what comes out of the block over what went in. The mean
# gates of images with the mark, and of those without:
# %%
from crashcourse.figures import COLOURS, figure, show

with torch.no_grad():
    inside = gated[:3](held_out.normalised())  # (400, 16, 14, 18)
    mark_gates = gated[3](inside).amax((2, 3)) / inside.amax((2, 3))  # (400, 16)
mean_gates = {
    "with the mark": mark_gates[has_mark].nanmean(0),  # nan: an empty map, 0 / 0
    "without": mark_gates[~has_mark].nanmean(0),
}
# %%
fig, axes = figure(height=2.8)
order = (mean_gates["with the mark"] - mean_gates["without"]).argsort()
for name, colour in {"with the mark": "vermilion", "without": "blue"}.items():
    axes.plot(mean_gates[name][order], "o", color=COLOURS[colour], label=name)
axes.set(xlabel="channel, sorted by the difference", ylabel="mean gate", ylim=(0, 1))
axes.set_xticks([])
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
alt = "Mean gate of 16 channels: on the left lower with the mark, on the right higher."
show(fig, alt=alt)
# %% [markdown]
# Some channels are let through mainly when the mark is there, others mainly when it is
# not. For the next convolution it is as if there were two networks.
#
# ## The reference
# The package's block, live. It takes 1×1 convolutions where you took dense layers: on
# maps of one pixel that is the same arithmetic. The other options are for
# EfficientNet, in lesson 17.
# %%
from crashcourse.classification.senet import SEBottleneck, SqueezeExcitation
from crashcourse.figures import show_source

show_source(SqueezeExcitation)
# %% [markdown]
# Your block, the package's and torchvision's, with the same weights:
# %%
import torchvision

theirs = torchvision.ops.SqueezeExcitation(64, squeeze_channels=4)
ours, yours = SqueezeExcitation(64), SEBlock(64)
ours.load_state_dict(theirs.state_dict(), strict=True)
maps = torch.randn(2, 64, 7, 5, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    for own, other in zip(yours.parameters(), theirs.parameters(), strict=True):
        own.copy_(other.view_as(own))  # (4, 64, 1, 1) -> (4, 64)
    for name, block in {"the package's": ours, "yours": yours}.items():
        equal = torch.allclose(block(maps), theirs(maps), atol=1e-6)
        print(f"{name} equals torchvision's: {equal}")
# %% [markdown]
# Where does it go? Nearly anywhere; the paper tries Inception, ResNeXt and MobileNet.
# In a residual block it gates the **residual**, before the sum (figure 3). The shortcut
# stays free.
# %%
show_source(SEBottleneck.forward)
# %% [markdown]
# One such block in each of ResNet-50's 16 bottlenecks makes SE-ResNet-50. **Predict
# what it costs.**
# %% exercise="senet.shapes"
# %% [markdown]
# Without the reduction a block would need one C × C layer, 4.2 million weights for
# 2048 channels. Two layers with C // r units between them need 2 C² / r. **Write the
# count**, with the biases.
# %% exercise="classification.added_parameters"
# %% [markdown]
# Now SE-ResNet-50 itself, a row for each part, and beside it what your function says
# about each stage:
# %%
from crashcourse.classification.senet import SEResNet
from crashcourse.figures import network_diagram

with torch.device("meta"):  # shapes without numbers
    se_resnet50 = SEResNet("50")
network_diagram(se_resnet50, (3, 224, 224), by="child", title="SE-ResNet-50")
# %%
from crashcourse.inspection import count_macs, count_parameters

rows, added = [], []
for place, count in enumerate((3, 4, 6, 3), start=1):
    channels, stage = 128 * 2**place, getattr(se_resnet50, f"layer{place}")
    added.append(added_parameters([channels] * count))
    share = added[-1] / count_parameters(stage)
    name = f"conv{place + 1}_x (layer{place})"
    rows.append([name, count, channels, added[-1], f"{share:.1%}"])
all_gates = sum(added)
share = all_gates / count_parameters(se_resnet50)
rows.append(["network", 16, "", all_gates, f"{share:.1%}"])
rows = [[*row, f"{row[3] / all_gates:.0%}"] for row in rows]
headers = ["stage", "gates", "channels", "parameters", "of the stage", "of all gates"]
show_table(rows, headers, "Where the gates of SE-ResNet-50 are")
# %%
from crashcourse.classification.resnet import ResNet

with torch.device("meta"):
    resnet50 = ResNet("50")
for name, network in (("ResNet-50", resnet50), ("SE-ResNet-50", se_resnet50)):
    size, macs = count_parameters(network), count_macs(network, (3, 224, 224))
    print(f"{name:12} {size:,} parameters, {macs / 1e9:.3f} billion MACs")
for block in se_resnet50.modules():
    if isinstance(block, SEBottleneck):  # the authors' form: stride in the first 1×1
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
macs = count_macs(se_resnet50, (3, 224, 224)) / 1e9
print(f"the same with the stride where the authors have it: {macs:.2f} billion")
# %% [markdown]
# The gates add 2,530,992 parameters, a tenth, and 0.06 % of the MACs. Of the parameters
# 62 % sit in the last stage, which has the most channels. Leave its three gates out,
# and the network grows by 3.7 % only; the paper then loses less than 0.1 % top-5.
#
# Means and scaling are no MACs, but they take time: a training step took the authors
# 209 ms instead of 190, a tenth more. The reduction matters little: on ImageNet they
# found top-1 errors of 22.29, 22.25, 22.26, 22.28 and 22.72 % for r = 2, 4, 8, 16 and
# 32, and 23.30 % without gates. The squeeze matters more: with gates for each pixel,
# from that pixel alone, the error was 22.93 %.
#
# Is the whole network right? An independent one: torchvision's ResNet-50, with
# torchvision's own block behind the last BatchNorm of each bottleneck.
# %%
from crashcourse.datasets import photos

torch.manual_seed(0)
other = torchvision.models.resnet50()
for block in other.modules():
    if isinstance(block, torchvision.models.resnet.Bottleneck):
        channels = block.bn3.num_features
        gate = torchvision.ops.SqueezeExcitation(channels, channels // 16)
        block.bn3 = nn.Sequential(block.bn3, gate)
weights = other.state_dict()
for inner, ours in ((".bn3.0.", ".bn3."), (".bn3.1.", ".se.")):
    weights = {name.replace(inner, ours): value for name, value in weights.items()}
# %%
whole = SEResNet("50").eval()
whole.load_state_dict(weights, strict=True)
crops = torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:2]]) / 255
with torch.no_grad():
    right, found = other.eval()(crops), whole(crops)  # (2, 1000)
close = (found - right).abs().max() < 1e-5 * right.abs().max()
print("largest difference below 1e-5 of the largest score:", bool(close))
# %% [markdown]
# ## The run: ten kinds of garments
# Lesson 13's ResNet of 20 layers, for small images, with a gate in each of its nine
# blocks. It has 8, 16 and 32 channels, so r = 16 would leave hardly any unit; we take
# r = 4.
# %%
from crashcourse.recipes import train

run = train("senet_garments", progress=False)
learning_curves(run.history, title="SE-ResNet-20 on 10,000 garments")
claim("accuracy on unseen garments", run.metrics["accuracy"], at_least=0.75)
# %% [markdown]
# ### Is it better than without?
# For this one needs more than one run. The recorded study has five networks with the
# same budget, {record:senet_garments.study.epochs} epochs, and
# {record:senet_garments.study.seeds} seeds each:
#
# - **none**: no gates. This is lesson 13's network.
# - **se**, **se16**: gates with r = 4, and r = 16 (1, 1 and 2 units).
# - **own**: each gate sees the mean of its own channel only.
# - **constant**: learned gates that are the same for every image.
#
# On ImageNet the paper gains 1.5 points. What do you expect here?
# %% tags=["guess"]
from crashcourse.recipes import load_record

study = load_record("senet_garments", "study")
order = ("none", "constant", "own", "se16", "se")
rows = []
for name in order:
    number = partial("{:.3f}".format)
    values = [study.field(f"{name}.accuracy{kind}") for kind in ("", "_std")]
    rows.append([name, study.field(f"{name}.parameters"), *map(number, values)])
headers = ["gates", "parameters", "accuracy", "±"]
caption = "Accuracy on unseen garments: mean and standard deviation over seeds"
print("what each kind of gate reached:")
show_table(rows, headers, caption)
# %%
fig, axes = figure(height=2.9)
for place, name in enumerate(order):
    values = [100 * seed.metrics["accuracy"] for seed in study.variants[name]]
    colour = list(COLOURS.values())[place]
    axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.7)
    mean = sum(values) / len(values)
    axes.plot([mean, mean], [place - 0.3, place + 0.3], color=colour)
axes.set_yticks(range(len(order)), order)
axes.invert_yaxis()
axes.set_xlabel("accuracy on unseen garments (%)")
alt = "Five rows of dots, a dot for each seed and a bar for the mean: all overlap."
show(fig, alt=alt)
# %% [markdown]
# No gain. With gates {record:senet_garments.study.se.accuracy:.1%}, without
# {record:senet_garments.study.none.accuracy:.1%}, and seeds of one network differ by
# more than that. If there is a difference, it is on the side of no gates at all. This
# budget and these small, centred garments do not show what the paper shows, and
# nothing in this study says why.
#
# What the paper shows: with gates (and shorter training than in the series above),
# ResNet-50's error on ImageNet falls from 24.80 to 23.29 % (top-1) and from 7.48 to
# 6.62 % (top-5). On CIFAR-10 the errors of lesson 13's pre-activation networks fall
# from 6.37 to 5.21 % (110 layers) and from 5.46 to 4.39 % (164 layers).
#
# ## What the gates have learned
# That they bring no accuracy here does not mean that they do nothing. Look at them:
# the gates of all nine blocks, for 2,000 unseen garments.
# %%
from crashcourse.classification.senet import gates_of

model, test = run.model.cpu(), garments("test")
gates = gates_of(model, test.normalised())
print(len(gates[0]), "images; channels:", [block.shape[1] for block in gates])
# %% [markdown]
# The paper draws the mean gate of each channel for a few classes, at several depths.
# Here are an early, a middle and the last block, for all ten classes: a row for each
# class, a column for each channel. Where all classes have the same gates, a column has
# one colour. In which block will that be? Guess first.
# %%
class_means = [
    torch.stack([block[test.labels == label].mean(0) for label in range(10)])
    for block in gates
]  # (10, C) for each block
# %% tags=["guess"]
widths = {"width_ratios": [1, 2, 4]}  # as many as there are channels
fig, panels = figure(1, 3, height=3.2, sharey=True, gridspec_kw=widths)
for axes, place in zip(panels.flat, (0, 4, 8), strict=True):
    order = class_means[place].mean(0).argsort()  # channels, most closed first
    picture = axes.imshow(
        class_means[place][:, order], cmap="viridis", vmin=0, vmax=1, aspect="auto"
    )
    axes.set(title=f"block {place + 1}", xlabel="channel", xticks=[])
    axes.grid(False)
panels.flat[0].set_yticks(range(10), test.classes)
fig.colorbar(picture, ax=panels.flat[-1], label="mean gate")
print("learned channel weights by depth:")
alt = "Block 1: each column has nearly one colour. Block 9: a patchwork of all colours."
show(fig, alt=alt)
# %% [markdown]
# In the first block the classes share their gates; in the last one each class opens a
# set of its own. As a number: the standard deviation of a gate between the ten classes,
# averaged over the channels of a block (a colour for each stage).
# %%
spread = [block.std(0).mean().item() for block in class_means]
fig, axes = figure(height=2.7)
stages = [COLOURS[name] for name in ("blue", "green", "orange") for _ in range(3)]
axes.bar(range(1, 10), spread, color=stages)
axes.set(xlabel="block", ylabel="spread of gates\nbetween classes")
axes.set_xticks(range(1, 10))
alt = "Spread between classes by block: low in six blocks, high in the last three."
show(fig, alt=alt)
ratio = sum(spread[6:]) / sum(spread[:3])
claim("spread in the last stage over that in the first", ratio, at_least=1.5)
# %% [markdown]
# The paper saw the same in SE-ResNet-50 on ImageNet (its figure 6): nearly equal gates
# early, class-specific ones later. Its last two blocks are an exception. In one, most
# gates are close to 1; in the other, the classes are alike again.
#
# What does one gate respond to? Take the one that differs most between classes, and
# sort all unseen garments by it.
# %%
channel = int(class_means[8].std(0).argmax())
by_gate = gates[8][:, channel].argsort()
ends = torch.cat([by_gate[:8], by_gate[-8:]])
titles = ["closed"] * 8 + ["open"] * 8
alt = "Eight garments that close the gate, above eight of other kinds that open it."
image_grid(test.images[ends], titles, columns=8, alt=alt)
# %% [markdown]
# ## What are the gates worth?
# Replace them in the trained network, without any further training, and measure again.
# %%
from crashcourse.classification.senet import changed_gates


def accuracy_with(change) -> float:
    """Accuracy when block number `place` uses `change(place, its own gates)`."""
    with changed_gates(model, change):
        everything = {"batch_size": len(test)}
        found = evaluate_classifier(model, test.normalised(), test.labels, **everything)
    return found["accuracy"]


# %% [markdown]
# Six kinds of gates. Means are taken over 2,000 training images, so they are fixed
# before the test:
#
# 1. the image's **own**;
# 2. **constant**: each gate at its mean over all images;
# 3. **shuffled**: those of another image, drawn at random;
# 4. **true class**: the mean gates of the image's class, which the network is not
#    supposed to know;
# 5. **wrong class**: those of the class five further on; a T-shirt gets a sandal's;
# 6. **all 1**: no gates.
#
# Guess which hurts most, and what number 4 does.
# %%
few = garments("train").take(2000)
gates_seen = gates_of(model, few.normalised())
constant = [block.mean(0) for block in gates_seen]  # (C,) for each block
by_class = [
    torch.stack([block[few.labels == label].mean(0) for label in range(10)])
    for block in gates_seen
]
# %%
shuffle = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
wrong_class = (test.labels + 5) % 10
changes = {
    "own": lambda place, own: own,
    "constant": lambda place, own: constant[place].expand_as(own),
    "shuffled": lambda place, own: own[shuffle],
    "true class": lambda place, own: by_class[place][test.labels],
    "wrong class": lambda place, own: by_class[place][wrong_class],
    "all 1": lambda place, own: torch.ones_like(own),
}
# %% tags=["guess"]
reached = {name: accuracy_with(change) for name, change in changes.items()}
fig, axes = figure(height=2.8)
axes.barh(list(reached), [100 * value for value in reached.values()])
axes.invert_yaxis()
axes.set(xlabel="accuracy on unseen garments (%)", xlim=(0, 100))
print("accuracy with other gates:")
alt = "Constant gates lose little, a wrong class's more, gates of 1 by far most."
show(fig, alt=alt)
for name, value in reached.items():
    measured(name, 100 * value, "%")
# %%
lost = {name: reached["own"] - value for name, value in reached.items()}
claim("lost with constant gates", lost["constant"], at_most=0.06)
claim("lost with gates of 1", lost["all 1"], at_least=0.1)
claim("gained with the true class's", -lost["true class"], at_least=0)
gap = reached["true class"] - reached["wrong class"]
claim("true class's minus wrong class's", gap, at_least=0.02)
# %% [markdown]
# Three lessons in one figure.
#
# - Without gates much is lost: the later layers expect channels of the size that gates
#   leave. But **constant** gates do nearly as well as its own. (In trials with three
#   seeds they lost 0.8, −0.3 and 2.0 points.) This network needs the *size* of its
#   gates, and hardly that they differ between images.
# - Gates of a wrong class do harm: they do carry the class.
# - The true class's gates make it *better* than its own. That is no method. It is a
#   leak: the label went in through the gates. If you ever see such a gain, look for it.
#
# Learned, class-specific, and hardly needed: all three hold here at once. A picture of
# what a part has learned does not say what it is worth. Only removing it does.
#
# ## A constant gate
# %% exercise="senet.constant_gate"
# %% [markdown]
# **Write it down**: the scale and shift that a BatchNorm needs so that the constant
# gate behind it can go.
# %% exercise="classification.fold_gates"
# %% [markdown]
# Use it on the trained network. Freeze its gates at their means, fold them into the
# BatchNorms, and what is left is a plain ResNet without any gate:
# %%
from crashcourse.recipes.senet import small_senet

plain = small_senet("none").eval()
weights = model.state_dict()
weights = {name: weights[name] for name in weights if ".se." not in name}
plain.load_state_dict(weights, strict=True)
blocks = [*plain.layer1, *plain.layer2, *plain.layer3]
# %%
with torch.no_grad():
    for block, frozen in zip(blocks, constant, strict=True):
        norm = block.bn2
        scale, shift = fold_gates(norm.weight, norm.bias, frozen)
        norm.weight.copy_(scale)
        norm.bias.copy_(shift)
found = evaluate_classifier(plain, test.normalised(), test.labels)["accuracy"]
same = abs(found - reached["constant"]) < 0.002
print(f"{count_parameters(plain):,} parameters, no gates")
print("as accurate as with the constant gates:", same)


# %% [markdown]
# So the *constant* row of the study was a ResNet in other clothes, and all that
# squeeze-and-excitation adds is that its gates depend on the image. On the marked
# garments this made all the difference. On plain garments it made none.
#
# ## The same block elsewhere
# Under the name *channel attention* it returns in networks that restore images. There
# is no BatchNorm, and the residual block is shorter:
# %%
class AttentionBlock(nn.Module):
    """The block of RCAN: two convolutions, channel attention, and the sum."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.attention = SqueezeExcitation(channels, reduction=16)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(self.conv1(x).relu())  # (N, 64, H, W)
        return x + self.attention(residual)


print(f"one block of RCAN: {count_parameters(AttentionBlock()):,} parameters")
# %%
rows = [
    ["SE-ResNet-50", all_gates, count_parameters(se_resnet50)],
    ["RCAN, ×4: 200 blocks of 64", added_parameters([64] * 200), 15_592_355],
    ["KPRCAN: 8 blocks of 100", added_parameters([100] * 8), 5_185_089],
]
rows = [[*row, f"{row[1] / row[2]:.2%}"] for row in rows]
headers = ["network", "in the gates", "in the network", "share"]
show_table(rows, headers, "What the gates weigh")
# %% [markdown]
# RCAN (Zhang et al., 2018) enlarges photographs; KPRCAN removes the noise of
# path-traced renders (its size is summed from its description). Part 5 trains both
# kinds.
#
# ## The last ImageNet challenge
# SENet won the classification task of 2017, the last one that was held, with a top-5
# error of **2.251 %** on the test set: an ensemble of networks with such blocks, and
# about a quarter less than the winner of 2016 had. In this part you have followed that
# number down from AlexNet's 16.4 %.
#
# ## Full scale
# All 60,000 garments, twice the channels, the full resolution, 30 epochs. With a GPU
# this cell runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("senet_garments")
# %% [markdown]
# ## What changed since
# The block became a standard part: MobileNetV3 and EfficientNet (lesson 17) have it.
# CBAM adds a gate for every *place* to that for every channel. ECA-Net does without
# the reduction: each gate sees a few neighbouring channels only. Transformers went
# further, and let every place look at every other.
#
# *References:* J. Hu, L. Shen, S. Albanie, G. Sun, E. Wu, "Squeeze-and-excitation
# networks", 2017, arXiv 1709.01507. Y. Zhang et al., "Image super-resolution using very
# deep residual channel attention networks", 2018, arXiv 1807.02758. S. Woo et al.,
# "CBAM: convolutional block attention module", 2018, arXiv 1807.06521. Q. Wang et al.,
# "ECA-Net: efficient channel attention for deep convolutional neural networks", 2019,
# arXiv 1910.03151. A. Howard et al., "Searching for MobileNetV3", 2019, arXiv
# 1905.02244.
