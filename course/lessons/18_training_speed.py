# ---
# jupyter:
#   crashcourse:
#     title: Training speed
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 75
#     needs: [10, 11, 13]
#     about: [recipes.speed, recipes.speed_large_batches, recipes.timing]
# ---
# %% [markdown]
# # One network, one goal, two clocks
# The network is the same, the images are the same, the goal is the same. One run needs
# several times as long as the other. In about 75 minutes you will find out where the
# seconds go, build the schedules and the loss that save some, climb a ladder of tricks
# that is timed rung by rung, and see what large batches can do and what they cannot.
# %%
import math
import time
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, show, show_source, show_table

# %% [markdown]
# ## The problem: the same, but slower
# Lesson 11's narrow VGG learns 10,000 garments, until it is right about
# {record:speed_garments.study.target:.0%} of 2,000 others. First as a beginner's
# tutorial would do it: images one by one through a `DataLoader`, plain gradient
# descent, one learning rate. Then as this course does it. Twice an epoch (`looks=2`)
# the accuracy is measured, and the run stops when it is there. How many times faster
# will the second run be? Guess before you run the cells (they take about a minute).
# %%
from crashcourse.recipes import time_to_accuracy
from crashcourse.recipes.speed import FASTEST, LADDER, RUNGS, TARGET

slow = time_to_accuracy("speed_garments", TARGET, variant="plain", looks=2)
# %%
fast = time_to_accuracy("speed_garments", TARGET, variant=FASTEST, looks=2)
# %% tags=["guess"]
fig, axes = figure(height=3.0)
runs = {"as in a tutorial": slow, "as in this course": fast}
for (label, run), colour in zip(runs.items(), ("vermilion", "blue"), strict=True):
    seconds, accuracies = zip(*run.curve, strict=True)
    percent = [100 * accuracy for accuracy in accuracies]
    axes.plot(seconds, percent, "o-", color=COLOURS[colour], label=label)
axes.axhline(100 * TARGET, color="black", linestyle=":", label="the goal")
axes.set(xlabel="seconds of training", ylabel="accuracy, unseen (%)")
axes.legend(loc="lower right")
print("accuracy against seconds:")
show(fig, alt="Both curves reach the goal, the course's one in a fraction of the time.")
# %%
for label, run in runs.items():
    measured(f"{label}: to the goal", run.seconds, "s on the clock")
    measured(f"{label}: to the goal", run.cpu_seconds, "s of the processor")
    measured(f"{label}: to the goal", run.epochs, "epochs")
ratio = slow.cpu_seconds / fast.cpu_seconds
claim("processor seconds, tutorial / course", ratio, at_least=1.5)
# %% [markdown]
# The claim is about *processor* seconds: how long this program was computing. Where
# other programs share the processor, the clock on the wall runs on meanwhile. In the
# record that you meet below, nothing else ran: there both agree, and the tutorial's run
# took {record:speed_garments.study.plain.seconds_to_target:.0f} s.
#
# ## Time to accuracy
# What is "faster"? Answer this first:
# %% exercise="training_speed.faster_epochs"
# %% [markdown]
# So one number matters, the **time to accuracy**:
#
# $$\text{seconds to the goal} = \text{seconds an epoch} \times \text{epochs to the
# goal}$$
#
# A trick may change one factor or both, and not always in the same direction.
# Stanford's DAWNBench (Coleman et al., 2017) made this the measure of a public
# competition: the time until 93 % of ImageNet's validation images are right in the top
# five. Its first entry took more than ten days. The four fastest when it closed, each a
# ResNet-50 on 128 V100 GPUs, in minutes and seconds:
#
# | | time | by | optimizer | pixels | batch | epochs |
# |---|---|---|---|---|---|---|
# | 2020 | **2:38** | Alibaba | LARS | 96 to 288 | 32,768 to 16,384 | 28 |
# | 2019 | 2:43 | Huawei | | | | |
# | 2018 | 9:22 | Huawei | Nesterov momentum | 128 to 288 | 8,192 to 20,480 | 30 |
# | 2018 | 18:06 | fast.ai, DIUx | SGD, momentum | 128 to 288 | 8,192 to 24,576 | 40 |
#
# *Pixels* is the side of the training images, from the first epoch to the last. LARS
# gives each layer a rate of its own; momentum comes soon. The recipe of the second
# entry we have not seen. The other three share more than they differ in: images that
# are small at first and grow (*progressive resizing*), a batch that changes on the way,
# a rate that is warmed up.
# %% [markdown]
# ## The first factor: seconds an epoch
# Measure before you change anything. An update has two parts: get a batch, and learn
# from it. This is what happens to every single image on its way through the tutorial's
# `DataLoader`:
# %%
from crashcourse.recipes.speed_batches import PerImage

show_source(PerImage.__getitem__)
# %% [markdown]
# A picture is made and taken apart again, 10,000 times an epoch, in Python. Our images
# already lie in memory as one tensor: then a batch is one indexing operation, whatever
# its size. How many times faster is that? Guess.
# %%
from torch.utils.data import DataLoader

from crashcourse.datasets import garments

training = garments("train")


def milliseconds(work) -> float:
    """The fastest of five runs: the one that other programs disturbed least."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


# %% tags=["guess"]
loader = DataLoader(PerImage(training), batch_size=64, shuffle=True)
one_by_one = milliseconds(lambda: list(islice(loader, 10))) / 10
at_once = milliseconds(lambda: list(islice(training.batches(64), 10))) / 10
print("64 images, ready to learn from:")
measured("one by one", one_by_one, "ms")
measured("from memory", at_once, "ms")
claim("one by one / from memory", one_by_one / at_once, at_least=5)
# %% [markdown]
# A great factor. But how much of the *whole* update is it? We need the other part, and
# two tricks are said to make that one faster.
#
# **Channels last.** A tensor (N, C, H, W) is one long row of numbers in memory.
# PyTorch's default keeps each map together; in *channels last* all channels of one
# pixel lie side by side, which is what a convolution sums over. The shape stays, the
# order changes:
# %%
maps = torch.arange(8.0).view(1, 2, 2, 2)  # two maps of 2×2: 0 1 2 3 and 4 5 6 7
last = maps.contiguous(memory_format=torch.channels_last)
for name, one in (("as usual", maps), ("channels last", last)):
    in_memory = one.as_strided((8,), (1,)).int().tolist()
    print(f"{name:13} shape {tuple(one.shape)}, in memory {in_memory}")
print("equal:", torch.equal(maps, last))
# %% [markdown]
# **Mixed precision.** A bfloat16 has the range of a float32 and 8 bits of precision
# instead of 24. `autocast` lets convolutions and dense layers compute in it; weights
# stay float32. Half the memory traffic, and on processors that have instructions for it
# more sums at a time. One update of our network, three ways:
# %%
from crashcourse.classification.vgg import small_vgg

images, labels = training.normalised()[:64], training.labels[:64]


def learn(network: nn.Module, images: Tensor, half: bool = False) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = F.cross_entropy(network(images), labels)
    loss.backward()


torch.manual_seed(0)
usual = small_vgg()
channels_last = small_vgg().to(memory_format=torch.channels_last)
nhwc = images.contiguous(memory_format=torch.channels_last)
# %% tags=["guess"]
print("forward and backward, 64 garments:")
measured("as usual", milliseconds(lambda: learn(usual, images)), "ms")
computing = milliseconds(lambda: learn(channels_last, nhwc))
measured("channels last", computing, "ms")
half = milliseconds(lambda: learn(channels_last, nhwc, half=True))
measured("channels last, bfloat16", half, "ms")
# %% [markdown]
# These three depend on the processor. Without instructions for bfloat16, as in most
# before 2020, the third can be slower than the second.
#
# Now the share. If getting a batch takes the share p of an update, then the fastest
# data path in the world leaves 1 − p of it: at most 1 / (1 − p) times faster (Amdahl's
# law). Beside the channels-last network:
# %%
share = one_by_one / (one_by_one + computing)
measured("share of the data path", share)
measured("most that it can bring", 1 / (1 - share), "times")
# %% [markdown]
# A great factor, and so little for the whole. The faster the computing, the larger the
# share of the data: with ResNet-18 on the same images it would vanish, and on a fast
# GPU it is often the *only* thing that matters. So folklore does not travel well: what
# is a bottleneck there need not be one here.
#
# ### Threads
# PyTorch computes with as many threads as the machine has cores. If something else
# computes as well, such as a second notebook, or a test suite, threads wait for each
# other, and *more* threads can be much slower. This lesson runs with one. Measure it
# yourself, in a cell of your own (restart the kernel afterwards):
#
# ```python
# for threads in (1, 2, 4, 8):
#     torch.set_num_threads(threads)
#     print(threads, milliseconds(lambda: learn(channels_last, nhwc)))
# ```
#
# Take the number with the least time, not the largest number, and do it *while*
# everything runs that usually runs.
# %% [markdown]
# ## The second factor: epochs to the goal
# Fewer epochs need better updates. Plain gradient descent takes w ← w − η · g, with a
# rate η and the gradient g of one batch.
#
# **Momentum** keeps a velocity: v ← m · v + g, then w ← w − η · v. With m = 0.9, what
# becomes of v where the gradient is always 1, and where it flips its sign each time?
# %%
for name, flip in (("always 1", 1), ("+1, -1, +1", -1)):
    velocity, seen = 0.0, []
    for update in range(60):
        velocity = 0.9 * velocity + flip**update
        seen.append(f"{velocity:.2f}")
    print(f"{name:10}", *seen[:4], "...", seen[-1])
# %% [markdown]
# Where gradients agree, a step grows to 1 / (1 − m) = 10 times its size. Where they
# contradict each other, it shrinks to about half. So a rate that suits SGD may be too
# high with momentum: search for each when you compare. *Nesterov's* momentum goes along
# g + m · v, with the new v: it adds the next pull of the velocity in advance.
#
# **Adam** divides each weight's velocity by the size of its own past gradients. Two
# weights, with gradients a million times apart:
# %%
weights = torch.tensor([1.0, 1.0], requires_grad=True)
optimizer = torch.optim.Adam([weights], lr=0.01)
(weights * torch.tensor([1000.0, 0.001])).sum().backward()
optimizer.step()
print("gradients:", [round(g, 4) for g in weights.grad.tolist()])
print("moved by: ", [round(1 - w, 4) for w in weights.tolist()])
# %% [markdown]
# Both move by the rate. So one rate suits many networks, and the default 0.001 is often
# good enough. That is Adam's strength: it saves your time for searching.
#
# ### One cycle
# A high rate goes fast and cannot settle: each batch kicks the weights about. A low one
# settles and goes nowhere. So change it on the way: up, then down to almost nothing
# (Smith and Topin, 2017). Momentum goes the other way, since both together make the
# step: where the rate is highest, momentum is lowest.
#
# The cycle is as long as the whole training, counted in updates. Each way is half a
# cosine: (1 + cos(π · p)) / 2 falls from 1 to 0 while p goes from 0 to 1, and is flat
# at both ends; (1 − cos(π · p)) / 2 rises.
#
# **Write it** in the form that PyTorch uses.
# %% exercise="classification.one_cycle_at"
# %% [markdown]
# Does it do what PyTorch does? Step by step, for the 468 updates of three epochs (156
# full batches of 64 each):
# %%
optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=468)
close = []
for number in range(468):
    group = optimizer.param_groups[0]
    rate, momentum = one_cycle_at(number, 468, 0.05)
    close += [abs(rate - group["lr"]) < 1e-6, abs(momentum - group["momentum"]) < 1e-6]
    optimizer.step()
    if number < 467:
        schedule.step()
print("the same as PyTorch's at every step:", all(close))
# %%
fig, (left, right) = figure(1, 2, height=2.8)
rates, momenta = zip(*(one_cycle_at(n, 468, 0.05) for n in range(468)), strict=True)
left.plot(rates, color=COLOURS["blue"])
left.set(title="learning rate", xlabel="update", ylim=(0, None))
right.plot(momenta, color=COLOURS["orange"])
right.set(title="momentum", xlabel="update")
show(fig, alt="The rate rises for three tenths, then falls; momentum is its mirror.")
# %% [markdown]
# How high should the peak be? Try a few, each with its own short run, and take the
# largest that does not harm. In this course's recipes the rate follows the cycle and
# momentum stays at 0.9.
#
# ### Smoothed labels
# Cross-entropy is never content. However sure the network is of the right class, it can
# still lower the loss by making the scores larger. *Label smoothing* (Szegedy et al.,
# 2015) says: the truth is not 1 and 0. Each of K classes gets ε / K of it, and the
# label's class 1 − ε more.
#
# **Write the loss.**
# %% exercise="classification.smoothed_cross_entropy"
# %% [markdown]
# One image, ten classes. The right class has the score x, the others 0. For which x is
# the loss least, with ε = 0 and with ε = 0.1?
# %% tags=["guess"]
scores = torch.linspace(0, 14, 141)
logits = F.pad(scores[:, None], (0, 9))  # (141, 10): x, then nine zeros
first = torch.zeros(1, dtype=torch.int64)
fig, axes = figure(height=2.8)
print("where the loss is least:")
for epsilon, colour in ((0.0, "black"), (0.1, "blue")):
    losses = [smoothed_cross_entropy(row[None], first, epsilon) for row in logits]
    axes.plot(scores, losses, color=COLOURS[colour], label=f"ε = {epsilon:g}")
    least = int(torch.stack(losses).argmin())
    best = f"x = {scores[least]:.1f}" if least < 140 else "no x: the more, the better"
    print(f"ε = {epsilon:g}: {best}")
axes.set(xlabel="score of the right class", ylabel="loss", ylim=(0, 2.5))
axes.legend()
show(fig, alt="With ε = 0 the loss falls for ever; with 0.1 it has a lowest point.")
# %%
torch.manual_seed(0)
some, truth = torch.randn(6, 10), torch.arange(6)
theirs = F.cross_entropy(some, truth, label_smoothing=0.1)
same = torch.isclose(smoothed_cross_entropy(some, truth), theirs).item()
print("the same as PyTorch's:", same)
# %% [markdown]
# With smoothing there is a point where the network may stop: it is sure enough. That
# often helps accuracy after *long* training, when a network begins to know its training
# images by heart. Does it shorten the way to
# {record:speed_garments.study.target:.0%}? The ladder will say.
# %% [markdown]
# ## The ladder
# Now all of it, timed to the same accuracy. Every rung adds **one** thing to another
# rung, and not always to the one right above it in the table. `label_smoothing` and
# `bf16` are steps to the side: nothing stands on them, since what they bring depends on
# how long you train, and on the processor.
# %%
from crashcourse.recipes import load_record

ladder = load_record("speed_garments", "study")
rows = [[name, RUNGS[name].after or "-", RUNGS[name].says] for name in LADDER]
show_table(rows, ["rung", "stands on", "what it adds"], "The ladder")


# %% [markdown]
# Each rung of this study ran with the same
# {record:speed_garments.study.seeds} seeds, one thread, on one machine
# ({record:speed_garments.study.hardware}), with the best learning rate of a small
# search for its optimizer, and with four looks an epoch. Which rungs will pay, and
# which one will *not*? Write down your guess. A dot is a run.
# %%
def seconds_of(name: str) -> list[float]:
    """Seconds to the goal for each seed; compiling, where there is any, included."""
    metrics = [run.metrics for run in ladder.variants[name]]
    return [m["seconds_to_target"] + m["compile_seconds"] for m in metrics]


def reached_of(name: str) -> list[bool]:
    return [run.metrics["reached"] == 1 for run in ladder.variants[name]]


# %% tags=["guess"]
fig, axes = figure(height=3.8)
for place, name in enumerate(LADDER):
    for seconds, reached in zip(seconds_of(name), reached_of(name), strict=True):
        face = COLOURS["blue"] if reached else "white"  # white: gave up before the goal
        marker = "o" if reached else ">"
        axes.plot(seconds, place, marker, color=COLOURS["blue"], mfc=face, alpha=0.8)
axes.set_yticks(range(len(LADDER)), LADDER)
axes.invert_yaxis()
axes.set(xlabel="seconds to the goal", xlim=(0, None))
print("seconds to the goal, a mark for each seed:")
show(
    fig,
    alt="A row for each rung: the marks move left; the last, compile, is back right.",
)


# %% [markdown]
# A rung's *gain* is the time of the rung that it stands on, divided by its own, seed by
# seed. Both runs of a pair start from the same weights and see the same order. The
# table gives the mean of these ratios, which is not the ratio of the means: see
# `momentum`.
# %%
def gains(name: str) -> list[float]:
    before = seconds_of(RUNGS[name].after)
    return [old / new for old, new in zip(before, seconds_of(name), strict=True)]


def verdict(name: str) -> str:
    found = gains(name)
    if not all(reached_of(name)):
        return "did not always arrive"
    if min(found) > 1:
        return "faster with every seed"
    return "slower with every seed" if max(found) < 1 else "depends on the seed"


# %% tags=["guess"]
print("gain of each rung over the one that it stands on:")
rows = []
for name in LADDER:
    steps = ladder.field(f"{name}.epochs_to_target")
    each = ladder.field(f"{name}.seconds_to_target") / steps
    total = sum(seconds_of(name)) / len(seconds_of(name))
    row = [name, f"{total:.1f}", f"{steps:.2f}", f"{each:.2f}", "", ""]
    if RUNGS[name].after:
        found = gains(name)
        spread = f"({min(found):.2f} to {max(found):.2f})"
        row[4:] = [f"{sum(found) / len(found):.2f} {spread}", verdict(name)]
    rows.append(row)
headers = [
    "rung",
    "seconds",
    "epochs",
    "s per epoch",
    "gain (least to most)",
    "so it is",
]
show_table(rows, headers, "Time to the goal, compiling included: means over seeds")
# %% [markdown]
# How much is "with every seed" worth? If a rung changed nothing, each seed would come
# out faster with a chance of one half; all of them by luck:
# %%
seeds, rungs = len(ladder.variants["plain"]), len(LADDER) - 1
print(f"{seeds} of {seeds} seeds by luck: 1 in {2**seeds}")
print(f"among {rungs} rungs that change nothing: about {rungs / 2**seeds:.1f}")
# %% [markdown]
# So one "faster with every seed" may well be luck: trust the rungs with large gains
# more. The way to the goal, run by run:
# %%
fig, panels = figure(2, 2, height=4.2, sharex=True, sharey=True)
for axes, name in zip(panels.flat, ("plain", "momentum", "adam", FASTEST), strict=True):
    curves = ladder.curves("seconds", name), ladder.curves("test_accuracy", name)
    for seconds, accuracies in zip(*curves, strict=True):
        percent = [100 * accuracy for accuracy in accuracies]
        axes.plot(seconds, percent, color=COLOURS["blue"], linewidth=1.5, alpha=0.7)
    axes.axhline(100 * TARGET, color="black", linestyle=":")
    axes.set(title=name, ylim=(70, 90))
fig.supxlabel("seconds of training")
fig.supylabel("accuracy, unseen (%)")
show(
    fig,
    alt=f"A line for each seed: jagged and late without a cycle, {FASTEST} is short.",
)
# %% [markdown]
# Sorted by the verdicts of the table:
# %%
kinds = {"paid": "faster with every seed", "unclear": "depends on the seed"}
standing = [name for name in LADDER if RUNGS[name].after]
for word, text in kinds.items():
    print(f"{word:11}", *(name for name in standing if verdict(name) == text))
print(f"{'did not pay':11}", *(n for n in standing if verdict(n) not in kinds.values()))


# %% [markdown]
# Layout, precision, data path and compiling change seconds an epoch; optimizer,
# schedule and smoothing change epochs. Is the whole gain of `in_memory` its own, then?
# Take three of them apart:
# %%
def ratio_of(what: str, name: str) -> float:
    """How many times as much the rung below needed, by the means over seeds."""
    old, new = (
        ladder.field(f"{r}.{what}_to_target") for r in (RUNGS[name].after, name)
    )
    return old / new


for name in ("channels_last", "bf16", "in_memory"):
    epochs = ratio_of("epochs", name)
    each = ratio_of("seconds", name) / epochs
    print(f"{name:13} seconds an epoch × {each:.2f}, epochs × {epochs:.2f}")


# %% [markdown]
# `in_memory` gives the same batches in the same order, so it teaches nothing faster:
# its second factor is chance, a look earlier or later. So is that of `bf16`. Now the
# others. What is said about a trick may be true elsewhere and not here:
#
# - **Adam** saves the search for a rate. At a constant rate it beats momentum on
#   average, though not with every seed. Under one cycle (`nesterov` against
#   `in_memory`), with a rate that was searched for, nothing is left of that.
# - **Momentum** at a constant rate arrives early with one seed and late with another:
#   near the goal its accuracy jumps up and down, and the clock stops at the first look
#   that is good enough. One cycle ends calmly.
# - **Label smoothing** is known for the last tenths of a per cent after many epochs.
#   Here it brings a quarter of an epoch: one look. So little can be luck.
# - **bfloat16** converts numbers back and forth around every layer. Whether the
#   arithmetic in between wins that back depends on the processor: this one has
#   instructions for it.
# - **Compiling** costs once and should save in every epoch. From how many epochs on
#   does it pay?
# %%
def per_epoch(name: str) -> list[float]:
    metrics = [run.metrics for run in ladder.variants[name]]
    return [m["seconds_to_target"] / m["epochs_to_target"] for m in metrics]


once = ladder.field("compile.compile_seconds")
compiled, usual = per_epoch("compile"), per_epoch(RUNGS["compile"].after)
saved = (sum(usual) - sum(compiled)) / len(usual)
print(f"compiling takes {once:.0f} s once and saves {saved:.2f} s in an epoch")
if max(compiled) < min(usual):
    print(f"so it pays from {once / saved:.0f} epochs on")
else:
    print("the seeds differ by more than that: no saving that these runs can show")
# %% [markdown]
# **A trap.** You will read that DAWNBench's 18-minute run used Adam with one cycle. Its
# entry says SGD with momentum 0.9, and six rates set by hand. "Adam with one cycle" is
# other people's advice (Smith, 2018; Loshchilov and Hutter, 2017).
#
# ### What you would otherwise run
# Take what most examples take: PyTorch's stock loop (`DataLoader`, torchvision's
# transforms, Adam at 0.001), and torchvision's ResNet-18 with a 3×3 stem for small
# images. Same goal, same machine. How much of the difference is the network, and how
# much the loop?
# %% tags=["guess"]
print("to the goal, means over seeds:")
stock = {
    name: ladder.field(f"{name}.seconds_to_target")
    for name in ("stock_resnet18", "stock_small", FASTEST)
}
for name, seconds in stock.items():
    print(f"{name:15} {seconds:7.1f} s")
network = stock["stock_resnet18"] / stock["stock_small"]
loop = stock["stock_small"] / stock[FASTEST]
print(f"network {network:.1f} × loop {loop:.2f} = {network * loop:.0f} times")


# %% [markdown]
# For a goal of 94 or 95 % the small network would not do. But for *this* goal the large
# one is the wrong tool, and no trick of the loop makes up for that.
# %% [markdown]
# ## Large batches
# A batch of 1,024 keeps every core of a GPU busy. Why not always? Train with batches of
# 32 and with 1,024, at the same rate, an epoch of each: the same images. The loss on
# each batch is drawn twice, against the images seen and against the updates made. What
# will the two pictures look like?
# %%
def losses_of(batch_size: int) -> list[float]:
    """The loss on each batch of an epoch, without any schedule."""
    torch.manual_seed(0)
    network = small_vgg().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    batches = training.batches(batch_size, channels_last=True)
    losses = []
    for images, labels in batches.epoch(0):
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
small = losses_of(32)
# %%
large = losses_of(1024)
# %% tags=["guess"]
fig, (left, right) = figure(1, 2, height=2.9, sharey=True)
for losses, size, style in ((small, 32, "-"), (large, 1024, "o-")):
    colour = COLOURS["blue" if size == 32 else "vermilion"]
    seen = [size * (number + 1) / 1000 for number in range(len(losses))]
    left.plot(seen, losses, style, color=colour, linewidth=1.2)
    updates = range(1, len(losses) + 1)
    right.plot(updates, losses, style, color=colour, label=f"batches of {size:,}")
left.set(xlabel="images seen (thousands)", ylabel="loss on the batch", xlim=(0, 11))
right.set(xlabel="updates made", xlim=(0, 21), ylim=(0, 2.9))
right.legend(loc="lower left")
print("the loss against images and against updates:")
print("updates:", len(small), "with batches of 32,", len(large), "with 1024")
show(fig, alt="By images the large batch lags far behind; by updates it is ahead.")
# %%
behind = large[-1] - sum(small[-20:]) / 20
claim(
    "last loss with 1024, minus the mean of the last 20 with 32", behind, at_least=0.2
)
# %% [markdown]
# The same images, and far behind. Update by update, though, the large batch soon leads:
# its gradients are better, and there are too few of them. Now a question:
# %% exercise="training_speed.why_large_is_worse"
# %% [markdown]
# ### A larger rate, warmed up
# If the batch is 64 times as large, make each update 64 times as long: *linear scaling*
# (Goyal et al., 2017). 64 steps along almost the same gradient are about one step with
# 64 times the rate. That holds while the gradient changes slowly. At the start it does
# not, and a high rate throws the weights off. So the authors begin with the small rate
# and raise it a little at every update, for five epochs. In this way they trained
# ResNet-50 with batches of 8,192 in one hour, on 256 GPUs, with an error of 23.74 %.
# With batches of 256 it was 23.60 %.
#
# **Write it.**
# %% exercise="classification.warmed_rate"
# %% [markdown]
# Its rates on ImageNet, for three sizes of the batch:
# %%
imagenet, every = 1_281_167, [epoch / 20 for epoch in range(161)]
fig, axes = figure(height=2.8)
for size, name in ((256, "blue"), (2048, "orange"), (8192, "vermilion")):
    updates = [round(epoch * math.ceil(imagenet / size)) for epoch in every]
    rates = [warmed_rate(update, size, imagenet) for update in updates]
    axes.plot(every, rates, color=COLOURS[name], label=f"batches of {size:,}")
axes.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
axes.legend()
show(
    fig, alt="All begin at 0.1; in five epochs they rise to 0.1, 0.8 and 3.2, and stay."
)
# %% [markdown]
# ### Noise
# A batch's gradient is the gradient of all images plus chance. Larger batches have less
# of it. Take 65,536 images whose gradients (of one weight) are spread by 1 around 0,
# and look at the means of batches:
# %%
torch.manual_seed(0)
gradients = torch.randn(65_536)
for size in (1, 16, 256):
    means = gradients.view(-1, size).mean(dim=1)  # (65536 / size,)
    print(f"batches of {size:3}: spread {means.std():.2f}")
# %% [markdown]
# Sixteen times the batch, a quarter of the spread. Chance also shakes the weights more
# where the rate is higher, and where momentum lets each gradient count longer. Smith
# and Le (2017) put that together, the *noise scale*:
#
# $$g = \frac{\eta}{1 - m}\left(\frac{N}{B} - 1\right) \approx \frac{\eta N}{B\,(1 -
# m)}$$
#
# η is the learning rate (they write ε), N the number of training images, B the batch, m
# the momentum. A run needs noise at first, to explore, and less of it later, to settle.
# %% exercise="training_speed.batches"
# %% [markdown]
# ### Sharp and flat
# Keskar et al. (2016) looked at *where* training ends. Two valleys, equally deep. On
# unseen images the landscape is a little different, as if the weights were a little
# off. In which valley would you rather be?
# %%
weight = torch.linspace(-1.5, 1.5, 301)
valleys = {"flat": 0.2 * weight**2, "sharp": 4 * weight**2}
fig, axes = figure(height=2.6)
for (name, loss), colour in zip(valleys.items(), ("blue", "vermilion"), strict=True):
    axes.plot(weight, loss, color=COLOURS[colour], label=name)
    print(f"{name}: rises by {loss[weight.abs() <= 0.3].max():.3f} inside the box")
axes.axvspan(-0.3, 0.3, color=COLOURS["sky"], alpha=0.3, label="the box")
axes.set(xlabel="distance from the minimum", ylabel="loss", ylim=(0, 1.2))
axes.legend(loc="upper right")
show(fig, alt="Inside a small box the loss of the sharp valley rises far more.")
# %% [markdown]
# That is their idea of *sharpness*: the largest rise of the loss in a small box around
# the weights. Each weight w may move by its reach, ε · (|w| + 1), where ε is the size
# of the box. (They divide the rise by 1 + loss and give per cent; here it is the rise
# itself.) With thousands of weights one has to search: go a quarter of the reach along
# the sign of the gradient, stay in the box, repeat. For the sharp valley, from a weight
# of 0.1, by hand and with the package:
# %%
from crashcourse.recipes.speed import sharpness


class Valley(nn.Module):
    """A network of one weight, which answers every image with its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.1))

    def forward(self, images: Tensor) -> Tensor:
        return (4 * self.weight**2).expand(len(images))  # (N,)


def answer_itself(answers: Tensor, labels: Tensor) -> Tensor:
    return answers.mean()


w, reach = 0.1, 0.3 * (0.1 + 1)  # ε = 0.3
for _ in range(10):
    uphill = 1 if 8 * w > 0 else -1  # the sign of the slope
    w = min(0.1 + reach, max(0.1 - reach, w + uphill * reach / 4))
print(f"by hand:     w = {w:.2f}, rise {4 * w**2 - 4 * 0.1**2:.4f}")
image, label = torch.zeros(1), torch.zeros(1)  # there must be one; nobody looks at it
rise = sharpness(Valley(), image, label, epsilon=0.3, loss=answer_itself)
print(f"the package: rise {rise:.4f}")
# %% [markdown]
# They found that large batches end in sharp minima and do worse on unseen images: the
# *generalisation gap*. Hoffer et al. (2017) answered that much of the gap comes from
# too few updates. Our study of it: {record:batch_garments.study.seeds} seeds,
# {record:batch_garments.study.epochs} epochs for every size of the batch, so that all
# see the same images and the large ones make fewer updates. `b2048_scaled` has 16 times
# the rate of the others, warmed up. Linear scaling holds up to a point: with 16 times
# 0.02 the network died in our trials, so all others have a low rate of
# {record:batch_garments.study.learning_rate} here. *Gap* is accuracy on training images
# minus accuracy on unseen ones, sharpness is measured on 2,000 training images with ε =
# 0.001, and ± is the standard deviation over seeds.
# %%
batches = load_record("batch_garments", "study")
metrics = {
    "updates": ",.0f",
    "train_accuracy": ".3f",
    "accuracy": ".3f",
    "gap": ".3f",
    "gap_std": ".3f",
    "sharpness": ".3f",
    "sharpness_std": ".3f",
}
sizes = {"b32": 32, "b128": 128, "b512": 512, "b2048": 2048, "b2048_scaled": 2048}
rows = [
    [name, *(format(batches.field(f"{name}.{m}"), form) for m, form in metrics.items())]
    for name in sizes
]
headers = ["batch", "updates", "training", "unseen", "gap", "±", "sharpness", "±"]
show_table(rows, headers, "The same epochs, batches of different size")
# %%
fig, panels = figure(1, 3, height=3.2)
drawn = {
    "train_accuracy": "training (%)",
    "gap": "gap (points)",
    "sharpness": "sharpness",
}
for axes, (metric, title) in zip(panels.flat, drawn.items(), strict=True):
    factor = 1 if metric == "sharpness" else 100
    for name, size in sizes.items():
        values = [factor * run.metrics[metric] for run in batches.variants[name]]
        colour, label = ("orange", "rate × 16") if "scaled" in name else ("blue", None)
        place = 1.25 * size if label else size  # beside the others
        axes.plot([place] * len(values), values, "o", color=COLOURS[colour], alpha=0.7)
    axes.set(title=title, xlabel="batch", xscale="log", xlim=(20, 4500))
    axes.set_xticks([32, 128, 512, 2048], ["32", "128", "512", "2048"], size=10)
    axes.minorticks_off()
alt = "Against the batch, a dot for each seed: training accuracy, gap, sharpness."
show(fig, alt=alt)


# %% [markdown]
# Orange: the scaled rate. Which differences are larger than those between the seeds?
# %%
def beyond(metric: str, first: str, second: str) -> str:
    """Where all seeds of one way lie: above or below all of another, or among them."""
    low, high = (batches.field(f"{first}.{metric}_{end}") for end in ("min", "max"))
    if low > batches.field(f"{second}.{metric}_max"):
        return "above"
    return "below" if high < batches.field(f"{second}.{metric}_min") else "among"


for metric in ("train_accuracy", "accuracy", "gap", "sharpness"):
    print(f"{metric}: b2048 lies {beyond(metric, 'b2048', 'b32')} b32,", end=" ")
    print(f"scaled {beyond(metric, 'b2048_scaled', 'b2048')} b2048")
# %% [markdown]
# Begin with the training images. A large batch that is behind *there* has not learned
# its images yet. Then a small gap is no merit, and a low sharpness is no flat valley:
# the run is still on its way down, where its loss is high. Keskar et al. trained until
# every network knew its images; {record:batch_garments.study.epochs} epochs are too few
# for that. So these numbers speak for Hoffer et al. where they speak at all: what large
# batches lack here is updates.
#
# ### Grow the batch instead
# Usually the rate is divided when progress stops: less noise, so that the weights can
# settle. By the formula, multiplying the batch does the same to the noise, and makes
# *fewer updates* of it (Smith et al., 2017). So: one run divides its rate by 4 after a
# half and again after three quarters, another multiplies its batch by 4 at the same
# places. For the first half, the two are the same run.
# %%
from crashcourse.recipes.settings import STAIRS, batch_sizes

grown = batch_sizes(128, batches.field("epochs"), STAIRS)  # one for each epoch
plans = {  # (rate, batch) of each epoch; the rate in parts of the first one
    "decay_rate": [(128 / size, 128) for size in grown],
    "grow_batch": [(1.0, size) for size in grown],
}
for name, plan in plans.items():
    noise = [rate * (10_000 / size - 1) for rate, size in plan]
    updates = sum(math.ceil(10_000 / size) for _, size in plan)
    print(f"{name}: {updates} updates; batches {[size for _, size in plan]}")
    print("   noise:", *(f"{one / noise[0]:.2f}" for one in noise))
# %% tags=["guess"]
fig, axes = figure(height=2.9)
for name, colour in (("decay_rate", "blue"), ("grow_batch", "orange")):
    look = {"color": COLOURS[colour], "marker": "o", "markersize": 4}
    look["linestyle"] = "-" if colour == "blue" else "--"
    for number, curve in enumerate(batches.curves("test_accuracy", name), start=1):
        percent = [100 * accuracy for accuracy in curve]
        label = f"{name}, seed by seed" if number == 1 else None
        axes.plot(range(1, len(percent) + 1), percent, label=label, **look)
axes.set(xlabel="epoch", ylabel="accuracy, unseen (%)")
axes.legend(loc="lower right")
print("accuracy after each epoch, a line for each seed:")
alt = "The same lines for six epochs; then the two ways stay close, seed by seed."
show(fig, alt=alt)
# %% [markdown]
# Do the two ways end at different accuracies, beyond what seeds do?
# %%
for metric in ("accuracy", "train_accuracy"):
    where = beyond(metric, "grow_batch", "decay_rate")
    print(f"{metric}: grow_batch lies {where} decay_rate")
rows = []
for name in ("decay_rate", "grow_batch"):
    values = [batches.field(f"{name}.{what}") for what in ("accuracy", "accuracy_std")]
    updates = int(batches.field(f"{name}.updates"))
    rows.append([name, updates, *(f"{value:.3f}" for value in values)])
headers = ["way", "updates", "accuracy, unseen", "±"]
show_table(rows, headers, "The same epochs, the same noise, fewer updates")
# %% [markdown]
# They do not, and one way makes little more than half the updates. On one core that is
# no gain: an epoch is the same work in batches of any size. It is one where hundreds of
# GPUs share each batch, since there every update waits for all of them. With larger
# rates and batches on top, Smith et al. trained an Inception-ResNet-v2 on ImageNet to
# 77 % with fewer than 2,500 updates.
# %% [markdown]
# ## In which order
# What to do first when training is too slow:
#
# 1. **Fix the goal**: an accuracy on unseen images, and how you will time it.
# 2. **Take the smallest network that reaches it.** No trick of the loop made up for one
#    that takes thirty times as long.
# 3. **Look where the seconds go**: data or computing? Work on the larger share alone.
# 4. **Get the data path out of the way**: decode once, keep it in memory, cut and
#    augment whole batches.
# 5. **Search the learning rate**, then let it go through one cycle that ends when your
#    patience does.
# 6. **Layout and precision**: channels last; bfloat16 where the processor has it.
# 7. **Then** the batch: as large as the hardware likes, the rate scaled and warmed up,
#    as long as the number of updates stays large.
# 8. **Compile last**, when the shapes no longer change and one run is long enough to
#    pay for it.
#
# After each step, time to the goal again, with several seeds. Keep what pays.
#
# ## Full scale
# With a GPU, all 60,000 garments, a wider network and augmentation: the time to 94 %.
# Runs of a few seconds differ from one to the next: where the cell below names a
# command with `--seeds 3`, make it `--seeds 20`.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("speed_garments")
# %% [markdown]
# ## What changed since
# DAWNBench closed in 2020 for MLPerf, which times the training of larger networks, too,
# on whole machines. At the small end, CIFAR-10 to 94 % fell from minutes to a few
# seconds on one GPU (Jordan, 2024), by the same kind of ladder: data on the GPU, whole
# batches augmented at once, a triangle of a schedule, label smoothing, compiling. On
# large batches, LARS and LAMB give each layer its own rate (You et al., 2017 and 2019).
# Whether flat minima *explain* generalisation is still open: one can rescale a network
# so that it computes the same and looks as sharp as you like (Dinh et al., 2017). What
# one can do is to look for flat ones on purpose (Foret et al., 2020).
#
# *References:* C. Coleman et al., "DAWNBench: an end-to-end deep learning benchmark and
# competition", 2017; its entries and results, 2018 to 2020. L. Smith, N. Topin,
# "Super-convergence", 2017, arXiv 1708.07120. L. Smith, "A disciplined approach to
# neural network hyper-parameters", 2018, arXiv 1803.09820. I. Loshchilov, F. Hutter,
# "Decoupled weight decay regularization", 2017, arXiv 1711.05101. D. Kingma, J. Ba,
# "Adam", 2014, arXiv 1412.6980. C. Szegedy et al., "Rethinking the inception
# architecture for computer vision", 2015, arXiv 1512.00567. P. Micikevicius et al.,
# "Mixed precision training", 2017, arXiv 1710.03740. P. Goyal et al., "Accurate, large
# minibatch SGD", 2017, arXiv 1706.02677. N. Keskar et al., "On large-batch training for
# deep learning", 2016, arXiv 1609.04836. E. Hoffer, I. Hubara, D. Soudry, "Train
# longer, generalize better", 2017, arXiv 1705.08741. S. Smith, Q. Le, "A Bayesian
# perspective on generalization and stochastic gradient descent", 2017, arXiv
# 1710.06451. S. Smith et al., "Don't decay the learning rate, increase the batch size",
# 2017, arXiv 1711.00489. L. Dinh et al., "Sharp minima can generalize for deep nets",
# 2017, arXiv 1703.04933. Y. You, I. Gitman, B. Ginsburg, "Large batch training of
# convolutional networks", 2017, arXiv 1708.03888. Y. You et al., "Large batch
# optimization for deep learning", 2019, arXiv 1904.00962. P. Foret et al.,
# "Sharpness-aware minimization", 2020, arXiv 2010.01412. K. Jordan, "94 % on CIFAR-10
# in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498.
