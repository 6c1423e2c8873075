# ---
# jupyter:
#   crashcourse:
#     title: Small networks
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 90
#     needs: [10, 12, 13]
#     about:
#     - classification.mobilenet
#     - classification.shufflenet
#     - classification.squeezenet
# ---
# %% [markdown]
# # An eighth of the multiplications. An eighth of the time?
# The networks so far were made for graphics cards. This lesson is about four that were
# made for phones: MobileNet, MobileNet v2, ShuffleNet and SqueezeNet. In about 90
# minutes you will take a convolution apart, count what that saves, train both forms,
# and then take the time: it does not follow the count. You will also see why.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: four seconds for one picture
# A phone of 2016 ran AlexNet's 720 million multiply-adds (MACs) in 184 ms, on one core
# (Zhang et al., 2018, table 8). Suppose that time follows MACs. How long does it need
# for the networks of lessons 11 and 13? MB are 2²⁰ bytes, four bytes a parameter.
# %%
from crashcourse.classification import alexnet, resnet50, vgg16
from crashcourse.figures import show_table
from crashcourse.inspection import count_macs, count_parameters, summarize

rows = []
for name, build, side in (
    ("AlexNet", alexnet, 227),
    ("VGG-16", vgg16, 224),
    ("ResNet-50", resnet50, 224),
):
    with torch.device("meta"):  # shapes without numbers
        network = build()
    macs, size = count_macs(network, (3, side, side)), 4 * count_parameters(network)
    seconds = f"{macs / (720e6 / 0.184):.2f}"
    rows.append([name, f"{size / 2**20:.0f}", f"{macs / 1e9:.2f}", seconds])
headers = ["network", "MB", "billion MACs", "seconds on the phone"]
show_table(rows, headers, "What the networks so far would cost on a phone")
# %% [markdown]
# One second for ResNet-50, four for VGG-16. Nearly all of it is convolutions, at
# k²·C·K MACs for every output pixel: k the kernel's side, C channels in, K out.
#
# ## The idea: a kernel that factors
# A filter does two jobs at once. It looks at **space**, its k×k pixels, and it mixes
# **channels**. Give each job its own layer. First every channel alone meets a small
# kernel of its own. Then a 1×1 convolution mixes the channels. Two channels, three
# filters, 2×2:
# %%
space = torch.tensor([[[0.0, 1], [1, 0]], [[1, 1], [0, -1]]])[:, None]  # (2, 1, 2, 2)
mix = torch.tensor([[1.0, 2], [3, -1], [0, 1]])[:, :, None, None]  # (3, 2, 1, 1)
maps = torch.arange(18.0).view(1, 2, 3, 3)
filtered = F.conv2d(maps, space, groups=2)  # (1, 2, 2, 2): every channel alone
mixed = F.conv2d(filtered, mix)  # (1, 3, 2, 2)
print(mixed[0, 0])
# %% [markdown]
# The first of the two is a grouped convolution, as in ResNeXt, taken to the limit: as
# many groups as channels. It is called *depthwise*, the 1×1 *pointwise*, and the pair a
# *depthwise separable* convolution.
#
# Nothing stands between the two, so they are one convolution, with one kernel. Multiply
# out what filter k has for channel c, at row h and column w of the kernel:
#
# $$g_k(h, w, c) = g_s(h, w, c) \cdot g_d(c, k)$$
#
# The spatial part $g_s$ does not know k, and the channel part $g_d$ does not know h
# and w. (Stricter still: one spatial kernel for all channels, $g_s(h, w) \cdot g_d(c)$.
# MobileNet lets every channel have its own.)
# %%
kernel = mix * space.transpose(0, 1)  # (3, 2, 1, 1) · (1, 2, 2, 2) → (3, 2, 2, 2)
print(kernel[:, 0].flatten(1))  # what the three filters have for channel 0
print("the same result:", torch.equal(F.conv2d(maps, kernel), mixed))
print(kernel.numel(), "weights from", space.numel(), "+", mix.numel())


# %% [markdown]
# Look at the three rows: each is a multiple of the same four numbers. In words of
# linear algebra: for each channel, the K × k² table of weights has **rank 1**. An
# ordinary kernel has no such limit.
# %%
def ranks(kernel: Tensor) -> list[int]:
    """The rank of each channel's table: filters by places in the kernel."""
    tables = kernel.transpose(0, 1).flatten(2)  # (C, K, k · k)
    return torch.linalg.matrix_rank(tables).tolist()


torch.manual_seed(0)
print("separable:", ranks(kernel), "  ordinary:", ranks(torch.randn(3, 2, 2, 2)))
# %% [markdown]
# So separable convolutions are a small part of all convolutions. Is it a part where
# good networks live? That has to be tried.
#
# **Write the block** of MobileNet: depthwise 3×3, pointwise 1×1, and a BatchNorm and a
# ReLU after each. It is a function that returns a module.
# %% exercise="classification.separable_conv"
# %%
block = separable_conv(64, 128, stride=2).eval()
with torch.no_grad():
    print(tuple(block(torch.rand(1, 64, 56, 56)).shape))  # halved, 128 channels
print("parameters:", count_parameters(block), "against", 9 * 64 * 128 + 2 * 128)
# %% [markdown]
# ## What it saves
# For H·W output pixels, the depthwise layer needs 9·C·H·W MACs, the pointwise one
# C·K·H·W, and the full 3×3 convolution 9·C·K·H·W.
#
# **Write the ratio**, for any kernel, and for a 1×1 in groups (you will need that
# later).
# %% exercise="classification.cost_ratio"
# %% [markdown]
# How does the ratio change with K, the channels that come out? And how far can it fall
# for 3×3? Guess, then run.
# %% tags=["guess"]
from crashcourse.figures import COLOURS, figure, show

fig, axes = figure(height=2.9)
widths = [2**power for power in range(2, 11)]
for kernel, colour in zip((3, 5, 7), COLOURS.values(), strict=False):
    ratios = [cost_ratio(64, width, kernel, 14) for width in widths]
    axes.plot(widths, ratios, "o-", color=colour, label=f"{kernel}×{kernel}")
    axes.axhline(1 / kernel**2, color=colour, linestyle=":", linewidth=1.2)
axes.set(xscale="log", yscale="log", xlabel="output channels K")
axes.set(ylabel="MACs, separable / full")
axes.set_xticks([4, 16, 64, 256, 1024], ["4", "16", "64", "256", "1024"])
axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], ["1/50", "1/20", "1/10", "1/5", "1/2"])
axes.minorticks_off()
axes.legend()
alt = "The ratio falls with K towards a dotted floor, one over the kernel squared."
print("MACs of a separable convolution, as a part of the full one's:")
show(fig, alt=alt)
# %% [markdown]
# The ratio is 1/K + 1/k². C, H and W cancel. For 3×3 it never falls below 1/9: with
# many channels the 1×1 is all that is left to pay.
#
# ## MobileNet
# Howard et al. (2017) put thirteen such blocks in a row, and nothing else: no shortcut,
# no module with paths. Here it is from the live network. Each box is a block.
# %%
from dataclasses import replace

from crashcourse.classification.mobilenet import full_conv, mobilenet_v1
from crashcourse.figures import network_diagram

with torch.device("meta"):
    network = mobilenet_v1()
rows = summarize(network.features, (3, 224, 224), by="child")
rows = [
    replace(row, name=f"{place:2} ", kind="separable" if place else "full 3×3")
    for place, row in enumerate(rows)
]
network_diagram(rows, title="MobileNet v1")
# %% [markdown]
# Where do its MACs go? And what would it cost with full convolutions in every place?
# The paper trained that network, too.
# %%
from crashcourse.classification.mobilenet import MobileNetV1

with torch.device("meta"):
    full_network = MobileNetV1(block=full_conv)
layers = [row for row in summarize(network, (3, 224, 224)) if row.macs]
total = sum(row.macs for row in layers)
pointwise = sum(row.macs for row in layers if row.name.endswith(".1.0"))
print(f"in 1×1 convolutions: {pointwise / total:.1%} of all MACs")
for name, model in {"separable": network, "full": full_network}.items():
    macs = count_macs(model, (3, 224, 224)) / 1e6
    print(f"{name:9} {count_parameters(model) / 1e6:5.1f} million, {macs:5.0f} MMACs")
# %% [markdown]
# Top-1 accuracy on ImageNet, from the paper's table 4: **70.6 %** separable, **71.7 %**
# full. One point for seven eighths of the parameters and of the MACs.
#
# To go smaller still, multiply the channels of *every* layer by α, the *width
# multiplier*. Nearly all cost is in the 1×1, C·K, so it falls with α². Accuracies are
# the paper's, for images of 224×224:
# %%
published = {1.0: "70.6 %", 0.75: "68.4 %", 0.5: "63.7 %", 0.25: "50.6 %"}
rows = []
for width, accuracy in published.items():
    with torch.device("meta"):
        model = mobilenet_v1(width=width)
    macs = round(count_macs(model, (3, 224, 224)) / 1e6)
    rows.append([f"{width:g}", count_parameters(model), macs, accuracy])
headers = ["α", "parameters", "million MACs", "top-1, ImageNet"]
show_table(rows, headers, "MobileNet v1 in four widths")
# %% [markdown]
# ## The run: separable against full
# A small MobileNet for 28×28 garments: a stem with stride 2, five blocks. Three forms:
#
# - **separable**: as in MobileNet;
# - **full**: the same layout, with full 3×3 convolutions;
# - **full, narrow**: full convolutions with so few channels that it costs what the
#   separable network costs.
#
# These garments go in:
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid

held_out = garments("test")
kinds = [held_out.classes[label] for label in held_out.labels[:8].tolist()]
image_grid(held_out.images[:8], kinds, columns=8)
# %% [markdown]
# Same data, same three epochs. In which order will they come in?
# %%
from crashcourse.recipes import train

forms = {"separable": "separable", "full": "full", "full, narrow": "full_narrow"}
runs = {
    name: train("mobile_garments", variant=variant, progress=False)
    for name, variant in forms.items()
}
# %% tags=["guess"]
from crashcourse.figures import learning_curves

print("accuracy, epoch by epoch:")
learning_curves({name: run.history for name, run in runs.items()}, ["accuracy"])
# %%
for name, run in runs.items():
    size, macs = count_parameters(run.model), count_macs(run.model, (1, 28, 28))
    print(f"{name}: {size:,} parameters, {macs / 1e6:.2f} million MACs")
    measured("  accuracy on unseen garments", run.metrics["accuracy"])
claim("separable: accuracy", runs["separable"].metrics["accuracy"], at_least=0.8)
# %% [markdown]
# Three seeds and six epochs each, recorded: the full network reaches
# {record:mobile_garments.study.full.accuracy:.1%}, the separable one
# {record:mobile_garments.study.separable.accuracy:.1%} with an eighth of the MACs. As
# in the paper, little is lost.
#
# But look at the third: {record:mobile_garments.study.full_narrow.accuracy:.1%}. At
# equal cost, narrow *full* convolutions do as well here, within the spread of the
# seeds. For ten kinds of garments, 11 to 44 channels may be
# enough. The paper did not compare
# with these; it compared on 1000 classes, with up to 1024 channels, where the ratio is
# 1/9 and not 1/8. What this run shows is: separable convolutions work, at an eighth of
# the cost. It does not show that they are the best use of that cost.
#
# ### What was learned
# Full kernels are free to become separable. Do they? For each channel, how much of its
# table of weights does the best rank-1 table hold (in sums of squares), before and
# after training?
# %%
from crashcourse.recipes.mobile import small_mobilenet_v1


def rank_one_share(model: nn.Module) -> float:
    """Mean share of a channel's weights that its best rank-1 table holds."""
    tables = [b[0].weight.detach().transpose(0, 1).flatten(2) for b in model[1:]]
    squares = [torch.linalg.svdvals(table).square() for table in tables]  # (C, 9)
    return torch.cat([s[:, 0] / s.sum(1) for s in squares]).mean().item()


torch.manual_seed(0)
measured("fresh:  ", rank_one_share(small_mobilenet_v1(full=True).features))
measured("trained:", rank_one_share(runs["full"].model.features))
# %% [markdown]
# About a fifth, before and after. You cannot take a trained full kernel and factor it:
# most of it would be gone. The network has to be trained in its separable form, and
# finds other weights. Here are its depthwise kernels in the second block: mid-grey is
# zero. Look for edges, dots, and shifts.
# %%
from crashcourse.figures import filters

filters(runs["separable"].model.features[2][0][0], columns=16)
# %% [markdown]
# And what it still gets wrong, worst first:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = runs["separable"].model(held_out.normalised())  # (2000, 10)
worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown]
# ## Is it faster?
# Now the clock. Timing is easy to get wrong, so four rules: warm up first; let all
# candidates take turns, so that a busy moment meets all of them; take the least time,
# since whatever disturbs only adds; use one core. Where the system can tell, we take
# the time that the processor spent on *this* program.
# %%
import time

fine = time.get_clock_info("process_time").resolution <= 1e-6  # not on Windows
clock = time.process_time if fine else time.perf_counter


@torch.inference_mode()
def fastest(calls, repeats: int = 8) -> dict[str, float]:
    """The least seconds that each call took; the first round is the warm-up."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            start = clock()
            call()
            best[name] = min(best[name], clock() - start)
    return best


# %% [markdown]
# Five layers over the same maps, 128 channels in and out. (Maps and weights lie in
# memory in the order "channels last"; more on that soon.)
# %%
threads = torch.get_num_threads()
torch.set_num_threads(1)
maps = torch.rand(4, 128, 56, 56).to(memory_format=torch.channels_last)


def conv(kernel: int, groups: int, order=torch.channels_last) -> nn.Module:
    """A convolution from 128 to 128 channels that keeps the size."""
    layer = nn.Conv2d(128, 128, kernel, 1, kernel // 2, groups=groups, bias=False)
    return layer.to(memory_format=order)


kinds = {  # kernel and groups
    "full 3×3": (3, 1),
    "3×3 in 8 groups": (3, 8),
    "depthwise 3×3": (3, 128),
    "1×1": (1, 1),
    "1×1 in 8 groups": (1, 8),
}
layers = {name: conv(*kind) for name, kind in kinds.items()}
# %%
macs = {name: layer.weight.numel() * 4 * 56 * 56 for name, layer in layers.items()}
for name, count in macs.items():
    ratio = macs["full 3×3"] / count
    print(f"{name:16} {count / 1e6:7.1f} million MACs: {ratio:5.1f} times fewer")
# %% [markdown]
# If time followed MACs, depthwise would be 128 times faster than full. How many times
# will it be? Guess.
# %% tags=["guess"]
seconds = fastest({name: lambda f=layer: f(maps) for name, layer in layers.items()})
whole = seconds["full 3×3"]
rows = [
    [
        name,
        f"{macs['full 3×3'] / macs[name]:.0f}",
        approximately(whole / spent),
        approximately(1000 * spent),
        approximately(macs[name] / spent / 1e9),
    ]
    for name, spent in seconds.items()
]
headers = [
    "layer",
    "fewer MACs (times)",
    "faster (times)",
    "milliseconds",
    "billion MACs/s",
]
print("measured on this machine:")
show_table(rows, headers, "MACs against time, one core")
# %%
rate = {name: macs[name] / spent for name, spent in seconds.items()}
slower = rate["depthwise 3×3"] / rate["full 3×3"]
claim("MACs per second, depthwise / full", slower, at_most=0.8)
# %% [markdown]
# The full convolution has the best rate. Every cheaper layer gets less out of the
# processor, the depthwise one least, or nearly so. Why? Think before you read on.
# %% exercise="mobile.slower_than_counted"
# %% [markdown]
# A processor must not only multiply. It has to *fetch* what it multiplies, and memory
# is slow. So count bytes as well: every layer reads its input and its weights and
# writes its output, four bytes each. What matters is MACs per byte, the *arithmetic
# intensity*:
# %%
intensity, rows = {}, []
for name, layer in layers.items():
    moved = 4 * (2 * maps.numel() + layer.weight.numel())
    intensity[name] = macs[name] / moved
    row = [name, f"{moved / 1e6:.1f}", f"{intensity[name]:.1f}"]
    rows.append([*row, approximately(rate[name] / 1e9)])
headers = ["layer", "million bytes moved", "MACs per byte", "billion MACs/s"]
show_table(rows, headers, "Arithmetic intensity: how much is done with what is fetched")
# %% [markdown]
# All five move the same 13 million bytes. The full 3×3 uses each value that it reads
# 1152 times (9 places, 128 filters), the depthwise one 9 times.
#
# Two numbers of this machine complete the picture: how fast it copies memory, and how
# fast it multiplies large matrices. A layer with intensity I can run at most at
#
# $$\min(\text{peak},\; I \cdot \text{bandwidth})$$
#
# MACs per second. Drawn over I, that is a slope and a flat part: a *roofline*
# (Williams, Waterman and Patterson, 2009).
# %%
long, copy = torch.rand(2**24), torch.empty(2**24)  # 64 MB each, more than any cache
square = torch.rand(1024, 1024)
tests = {"copy": lambda: copy.copy_(long), "product": lambda: square @ square}
spent = fastest(tests, 6)
bandwidth = 2 * 4 * 2**24 / spent["copy"]  # read and written
peak = max(1024**3 / spent["product"], *rate.values())
measured("copying", bandwidth / 1e9, "billion bytes per second")
measured("multiplying matrices", 1024**3 / spent["product"] / 1e9, "billion MACs/s")
measured("slope and flat part meet at", peak / bandwidth, "MACs per byte")
most = intensity["depthwise 3×3"] * bandwidth / 1e9
measured("so the depthwise layer can reach at most", most, "billion MACs/s")
# %%
fig, axes = figure(height=3.6)
places = torch.logspace(-0.3, 2.6, 100)
roof = (places * bandwidth).clamp(max=peak) / 1e9
axes.plot(places, roof, color=COLOURS["black"], label="roof of this machine")
markers = zip(layers, "os^Dv", list(COLOURS.values()), strict=False)
for name, marker, colour in markers:
    axes.plot(
        intensity[name], rate[name] / 1e9, marker, color=colour, ms=10, label=name
    )
axes.set(xscale="log", yscale="log", xlabel="MACs per byte moved")
axes.set(ylabel="billion MACs per second", ylim=(1, 2 * peak / 1e9))
axes.set_xticks([1, 10, 100], ["1", "10", "100"])
axes.set_yticks([1, 10], ["1", "10"])
axes.legend(fontsize=10, loc="center left", bbox_to_anchor=(1.0, 0.5))
alt = "Roofline: a slope, then flat. Depthwise lies low, full 3×3 at the top."
show(fig, alt=alt)
# %% [markdown]
# Read it from left to right. The depthwise layer lies under the *slope*: however many
# multipliers there were, memory would not feed them. The full one lies at the flat
# part. What is left between a point and the roof is the library's: its grouped and
# depthwise kernels are not as well made as its full ones. A roof is a bound, not a
# forecast.
#
# Is it really the memory? An experiment can tell. The maps of one image, 1.6 MB in and
# 1.6 MB out, fit in the cache, a small fast memory beside the processor. Run a layer
# twice in a row: the second time its maps are still there, it is *warm*. Before the
# first time, copy 64 MB from one place to another: they push out everything else, the
# layer is *cold*. Same layer, same MACs. Which of the two layers will care?
# %% tags=["guess"]
one = maps[:1].contiguous(memory_format=torch.channels_last)
calls = {}
for name in ("full 3×3", "depthwise 3×3"):
    calls[name, "flush"] = lambda: copy.copy_(long)
    calls[name, "cold"] = calls[name, "warm"] = lambda f=layers[name]: f(one)
spent = fastest(calls, 10)  # in this order: flush, cold, warm
print("cold and warm:")
for name in ("full 3×3", "depthwise 3×3"):
    cold, warm = spent[name, "cold"], spent[name, "warm"]
    measured(f"{name}: {approximately(1000 * warm)} ms warm; cold / warm", cold / warm)
# %% [markdown]
# The full layer hardly notices: it computes for so long that the fetching hides behind
# it. The depthwise layer waits. With its maps at hand it is faster, by a half on one
# machine of ours and four times on another, and it may even pass the slope above, which
# was drawn for the large memory.
#
# All this is one core. A graphics card multiplies far faster than it fetches, so its
# slope meets its roof at a much higher intensity, and depthwise layers suffer more.
#
# A block is more than its convolutions. BatchNorm and ReLU have no MACs at all, and
# read and write the same maps. The separable block has both twice:
# %%
from crashcourse.classification.mobilenet import separable_conv as separable_block


def both(width: int, side: int) -> tuple[dict[str, nn.Module], Tensor]:
    """A full and a separable block, and maps for them."""
    blocks = {"full": full_conv(width, width), "part": separable_block(width, width)}
    layout = {"memory_format": torch.channels_last}
    blocks = {name: block.eval().to(**layout) for name, block in blocks.items()}
    return blocks, torch.rand(4, width, side, side).to(**layout)


blocks, some = both(128, 56)
steps = dict(zip(("depthwise", "BatchNorm", "ReLU"), blocks["part"][0], strict=True))
spent = fastest({name: lambda f=step: f(some) for name, step in steps.items()})
for name, value in spent.items():
    measured(f"{name}:", 1000 * value, "ms")
# %% [markdown]
# (On a phone, BatchNorm is multiplied into the weights of the convolution before it;
# then it is free.) Now whole blocks, from 16 to 256 channels: how many times fewer
# MACs, and how many times faster?
# %%
widths, predicted, found = [16, 32, 64, 128, 256], [], []
for width in widths:
    blocks, some = both(width, 28)
    calls = {name: lambda f=block, x=some: f(x) for name, block in blocks.items()}
    spent = fastest(calls, 12)
    predicted.append(1 / cost_ratio(width, width, 3, 28))
    found.append(spent["full"] / spent["part"])
measured("128 channels: fewer MACs", predicted[3], "times")
measured("128 channels: faster", found[3], "times")
# %%
fig, axes = figure(height=2.9)
axes.plot(widths, predicted, "o--", color=COLOURS["black"], label="fewer MACs")
axes.plot(widths, found, "s-", color=COLOURS["vermilion"], label="faster, measured")
axes.set(xscale="log", xlabel="channels in and out", ylabel="times", ylim=(0, 10))
axes.set_xticks(widths, [str(width) for width in widths])
axes.minorticks_off()
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
alt = "The measured gain lies below the counted one at every number of channels."
show(fig, alt=alt)
# %% [markdown]
# This is no fault of our machine. On the phone of table 8, four times fewer MACs gave
# about 2.6 times the speed (Zhang et al., 2018, section 4.5). In our study, training
# took {record:mobile_garments.study.full.seconds:.0f} s for the full network,
# {record:mobile_garments.study.separable.seconds:.0f} s for the separable one, and
# {record:mobile_garments.study.full_narrow.seconds:.0f} s for the narrow full one: the
# *same MACs* as the separable one, in less time.
#
# ### In which order do the numbers lie?
# Memory is one long row. PyTorch's usual order keeps the pixels of one channel
# together (NCHW). "Channels last" keeps the channels of one pixel together (NHWC). The
# tensor's shape says nothing about it; its strides do, the steps from one index to the
# next:
# %%
usual = maps.contiguous()
print("shape", tuple(usual.shape), tuple(maps.shape), "(N, C, H, W)")
print("NCHW strides", usual.stride())
print("NHWC strides", maps.stride())  # neighbouring channels are neighbours
# %%
names = ("full 3×3", "depthwise 3×3", "1×1")
calls = {}
for name in names:
    plain = conv(*kinds[name], torch.contiguous_format)
    calls[name, "NCHW"] = lambda f=plain: f(usual)
    calls[name, "NHWC"] = lambda f=layers[name]: f(maps)
spent = fastest(calls)
for name in names:
    quotient = spent[name, "NCHW"] / spent[name, "NHWC"]
    measured(f"{name}: time in NCHW / time in NHWC", quotient)
# %% [markdown]
# The same numbers, the same MACs, another order. Above 1, channels last is faster. The
# depthwise layer gains most as a rule: it does the same with every channel, so
# neighbouring channels can be loaded and multiplied at one go. The course trains its
# small networks in this order.
# %%
torch.set_num_threads(threads)  # all cores again
# %% [markdown]
# ## MobileNet v2: keep the narrow places linear
# Where channels are few, ReLU is dangerous. Take points in a plane, a spiral. Send them
# through a random matrix to n channels, apply ReLU, and try to get the points back. A
# point can be computed back exactly when at least **two** channels stayed above zero:
# two equations, two unknowns. Which n will be enough? (Sandler et al., 2018, figure 1.)
# %%
generator = torch.Generator().manual_seed(1)
angle = torch.linspace(0.5, 11, 400)
spiral = torch.stack([angle.cos(), angle.sin()], 1) * angle[:, None] / 11  # (400, 2)


def through_relu(points: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Points after ReLU, brought back to the plane, and which can be recovered."""
    matrix = torch.randn(2, channels, generator=generator)
    embedded = points @ matrix  # (400, channels)
    back = embedded.relu() @ torch.linalg.pinv(matrix)  # (400, 2)
    return back, (embedded > 0).sum(1) >= 2


# %% tags=["guess"]
fig, panels = figure(1, 5, height=1.9)
for axes, channels in zip(panels, (2, 3, 5, 15, 30), strict=True):
    back, kept = through_relu(spiral, channels)
    axes.scatter(*back[kept].T, s=5, color=COLOURS["blue"])
    axes.scatter(*back[~kept].T, s=5, color=COLOURS["orange"])
    axes.set(title=f"n = {channels}", aspect="equal")
    axes.set_axis_off()
print("the spiral after ReLU in n channels, what is lost for good in orange:")
alt = "With few channels parts of the spiral collapse to lines or a point, in orange."
show(fig, alt=alt)
# %% [markdown]
# Each channel is above zero with probability ½, whatever the point. So fewer than two
# of n survive with probability (n + 1) / 2ⁿ. Against 300 random matrices:
# %%
for channels in (2, 3, 5, 15):
    kept = [through_relu(spiral, channels)[1] for _ in range(300)]
    lost = 1 - torch.stack(kept).float().mean().item()
    expected = (channels + 1) / 2**channels
    measured(f"n = {channels}: expected {expected:.4f}, lost", lost)
# %% [markdown]
# In two channels three quarters are lost, in fifteen nearly nothing. Hence two rules:
#
# 1. Apply ReLU where channels are **many**.
# 2. Where they are **few**, apply none: a *linear bottleneck*.
#
# The block of MobileNet v2 does both. It is ResNet's bottleneck turned inside out:
# narrow at its ends, wide in the middle, an *inverted residual*. A 1×1 widens by the
# factor t = 6, a depthwise 3×3 filters (cheap, even when wide), a 1×1 makes it narrow
# again, without ReLU. The shortcut joins the narrow ends, where stride and channels
# allow it. ReLU6 is ReLU with a ceiling at 6, for 8-bit numbers.
# %%
from crashcourse.classification.mobilenet import InvertedResidual
from crashcourse.figures import show_source

show_source(InvertedResidual)
# %% exercise="mobile.linear"
# %% [markdown]
# **Predict the cost** of both blocks. Everything is 9·C, C·K and pixels.
# %% exercise="mobile.costs"
# %% [markdown]
# The whole network: a stem, seventeen of these blocks, a 1×1 to 1280 channels. Against
# version 1, on the same images; accuracies from the papers:
# %%
from crashcourse.classification.mobilenet import mobilenet_v2

rows = []
for name, build, accuracy in (
    ("MobileNet v1", mobilenet_v1, "70.6 %"),
    ("MobileNet v2", mobilenet_v2, "72.0 %"),
):
    with torch.device("meta"):
        model = build()
    macs = round(count_macs(model, (3, 224, 224)) / 1e6)
    rows.append([name, count_parameters(model), macs, accuracy])
headers = ["network", "parameters", "million MACs", "top-1, ImageNet"]
show_table(rows, headers, "Two versions of MobileNet")
# %% [markdown]
# Is it right? Version 2 has the names of torchvision's, so its weights must fit, and
# the outputs agree:
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs, ours = torchvision.models.mobilenet_v2().eval(), mobilenet_v2().eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
crops = torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:4]]) / 255
with torch.no_grad():
    difference = (ours(crops) - theirs(crops)).abs().max()  # crops (4, 3, 96, 96)
print("largest difference below 1e-5:", bool(difference < 1e-5))
# %% [markdown]
# ## ShuffleNet: group the 1×1, too
# In MobileNet 95 % of the MACs are in the 1×1 convolutions. Cut those into g groups,
# and they cost 1/g. The price: each group sees its own channels only. Two such layers
# in a row, 12 channels in 3 groups. On which inputs does each output depend? Autograd
# knows:
# %%
torch.manual_seed(0)
first, second = torch.rand(2, 12, 4, 1, 1)  # two grouped 1×1 layers


def reach(between) -> Tensor:
    """(12, 12): whether an output (row) depends on an input (column)."""

    def twice(pixel: Tensor) -> Tensor:
        after = F.conv2d(pixel.view(1, 12, 1, 1), first, groups=3)
        return F.conv2d(between(after), second, groups=3).flatten()

    return torch.autograd.functional.jacobian(twice, torch.rand(12)) != 0


alone = reach(lambda maps: maps)
own = torch.block_diag(*[torch.ones(4, 4)] * 3).bool()  # pairs of one group
print("dependent pairs inside a group:", int((alone & own).sum()))
print("dependent pairs of different groups:", int((alone & ~own).sum()))
# %% [markdown]
# Three blocks that never meet, however many layers follow. ShuffleNet's answer is to
# deal the channels out like cards: first the first of every group, then the second of
# every group. **Write it.** It has no weights and no MACs.
# %% exercise="classification.channel_shuffle"
# %%
order = channel_shuffle(torch.arange(12).view(1, 12, 1, 1), 3).flatten().tolist()
fig, axes = figure(height=2.1)
colours = [COLOURS[name] for name in ("blue", "orange", "green")]
for place, channel in enumerate(order):
    colour = colours[channel // 4]
    axes.plot([channel, place], [1, 0], color=colour, linewidth=1.2, zorder=1)
    for x, y in ((channel, 1), (place, 0)):
        axes.scatter(x, y, s=330, marker="s", color=colour, zorder=2)
        axes.text(x, y, channel, ha="center", va="center", color="white", fontsize=11)
axes.set(ylim=(-0.4, 1.4), xticks=[])
axes.set_yticks([1, 0], ["before", "after"])
axes.grid(False)
alt = "Twelve channels in three colours; after the shuffle the colours alternate."
show(fig, alt=alt)
# %% [markdown]
# Each group of the next layer now gets channels of all three groups:
# %%
mixing = reach(lambda maps: channel_shuffle(maps, 3))
fig, panels = figure(1, 2, height=2.9)
titles = {"without shuffle": alone, "with shuffle": mixing}
for axes, (title, table) in zip(panels, titles.items(), strict=True):
    axes.imshow(table, cmap="Greys", vmin=-0.1, vmax=1.2)
    axes.set(title=title, xlabel="input channel", xticks=[0, 4, 8], yticks=[0, 4, 8])
    axes.grid(False)
panels[0].set_ylabel("output channel")
alt = "Which outputs depend on which inputs: three blocks without shuffle; all with it."
show(fig, alt=alt)
print("dependent pairs with shuffle:", int(mixing.sum()), "of", mixing.numel())
# %% [markdown]
# The unit of ShuffleNet: grouped 1×1 to a quarter of the channels, shuffle, depthwise
# 3×3, grouped 1×1 back, and a shortcut. More groups make it cheaper, so at equal cost
# it can be wider. The paper's variants, counted from the live networks:
# %%
from crashcourse.classification.shufflenet import CHANNELS_V1, shufflenet_v1

errors = {1: "33.6 %", 2: "32.7 %", 3: "32.6 %", 4: "32.8 %", 8: "32.4 %"}
rows = []
for groups, channels in CHANNELS_V1.items():
    with torch.device("meta"):
        model = shufflenet_v1(groups=groups)
    macs = round(count_macs(model, (3, 224, 224)) / 1e6)
    rows.append([groups, channels[-1], count_parameters(model), macs, errors[groups]])
headers = ["groups", "widest stage", "parameters", "million MACs", "top-1 error"]
show_table(rows, headers, "ShuffleNet 1×; errors from table 2 of the paper")
# %% [markdown]
# And without the shuffle? In the paper (table 3) the error of the network with 8 groups
# rises from 32.4 to **37.6 %**, with 3 groups from 32.6 to 34.5 %.
#
# No weights, no MACs. Is the shuffle free? In milliseconds, on one core, in both orders
# of memory, beside the grouped 1×1 that it belongs to:
# %%
from crashcourse.classification.shufflenet import channel_shuffle as shuffle

torch.set_num_threads(1)
grouped = layers["1×1 in 8 groups"]
calls = {
    "1×1 in 8 groups": lambda: grouped(maps),
    "shuffle, NHWC": lambda: shuffle(maps, 8),
    "shuffle, NCHW": lambda: shuffle(usual, 8),
}
for name, value in fastest(calls).items():
    measured(f"{name}:", 1000 * value, "ms")
torch.set_num_threads(threads)
# %% [markdown]
# It is not: it moves every value to another place, and with channels last it has to
# pick them up one by one. The authors drew the conclusion themselves. ShuffleNet v2
# (Ma et al., 2018) was designed by the clock, after four guidelines: (1) equal channels
# in and out move the fewest bytes for their MACs; (2) many groups cost time; (3) so do
# many small branches; (4) and additions and ReLUs, which no count of MACs shows. Its
# unit has no grouped 1×1. It splits the channels into halves, works on one, joins them,
# and shuffles once.
#
# (Beware: in that paper MAC means *memory access cost*.)
#
# ## SqueezeNet: fewer parameters
# Bytes to *store* are another matter than MACs and time. SqueezeNet (Iandola et al.,
# 2016) asked how few parameters give AlexNet's accuracy. Three strategies: replace 3×3
# by 1×1; let the 3×3 that remain see few channels; and downsample **late**, so that
# maps stay large. The first two make the *fire module*: a 1×1 squeezes to few channels,
# then 1×1 and 3×3 expand side by side. **Write it.** There is no BatchNorm;
# convolutions have biases.
# %% exercise="classification.fire"
# %%
fire = Fire(96, 16, 64, 64)  # "fire2" of the paper
plain = nn.Conv2d(96, 128, 3, padding=1)
with torch.no_grad():
    print(tuple(fire(torch.rand(1, 96, 54, 54)).shape))  # (1, 128, 54, 54)
print(f"{count_parameters(fire):,} parameters; 3×3: {count_parameters(plain):,}")
# %% [markdown]
# Where the pools stand changes no parameter, but all the MACs. Version 1.1 of
# SqueezeNet moves its pools forward (and has a smaller first layer):
# %%
from crashcourse.classification import squeezenet1_0, squeezenet1_1

rows = []
candidates = {"AlexNet": alexnet, "1.0": squeezenet1_0, "1.1": squeezenet1_1}
for name, build in candidates.items():
    side = 227 if name == "AlexNet" else 224
    with torch.device("meta"):
        model = build()
    size, macs = count_parameters(model), count_macs(model, (3, side, side))
    label = name if name == "AlexNet" else f"SqueezeNet {name}"
    rows.append([label, size, f"{4 * size / 2**20:.1f}", round(macs / 1e6)])
headers = ["network", "parameters", "MB in float32", "million MACs"]
show_table(rows, headers, "AlexNet and SqueezeNet")
# %% [markdown]
# Late downsampling (1.0) costs 2.3 times the MACs of early downsampling (1.1). And note
# the last column: with 50 times fewer *parameters* than AlexNet, SqueezeNet 1.0 has
# *more* MACs. Small to store is not cheap to run.
#
# The paper compares with compressing AlexNet after training. 4.8 MB is still plain
# float32; Deep Compression (Han, Mao and Dally, 2015: prune, share weights, Huffman
# code) works on SqueezeNet, too. All have about AlexNet's accuracy, 57 % top-1:
#
# | network | method | MB | smaller |
# |---|---|---|---|
# | AlexNet | none | 240 | 1× |
# | AlexNet | pruning | 27 | 9× |
# | AlexNet | Deep Compression | 6.9 | 35× |
# | SqueezeNet | none (float32) | 4.8 | **50×** |
# | SqueezeNet | Deep Compression, 6 bits | 0.47 | **510×** |
#
# (240 MB is the paper's figure. Our count above is in units of 2²⁰ bytes.)
#
# ### A ReLU too many
# SqueezeNet ends in a 1×1 convolution to one map for each class, **a ReLU**, and the
# mean of each map. With 1000 classes that went well. With ten, look at fresh networks:
# in how many classes is the score exactly 0 for all of 500 garments?
# %%
from crashcourse.recipes.mobile import small_squeezenet

some, labels = held_out.normalised()[:500], held_out.labels[:500]
for seed in range(3):
    torch.manual_seed(seed)
    model = small_squeezenet(rectified=True).eval()
    silent = (model(some) == 0).all(0)  # (10,)
    measured(f"seed {seed}: silent classes", silent.sum().item(), digits=1)
# %% [markdown]
# A class whose maps are below zero everywhere gets score 0, and the ReLU passes no
# gradient to its weights. What happens to such a class? We silence one, and look at the
# gradient of the last layer:
# %%
for rectified in (True, False):
    torch.manual_seed(2)
    model = small_squeezenet(rectified=rectified).eval()
    nn.init.constant_(model.classifier[1].bias[3:4], -100.0)  # silence class 3
    F.cross_entropy(model(some), labels).backward()
    reaches = bool(model.classifier[1].weight.grad[3].any())
    print(f"last ReLU: {rectified!s:5}  gradient reaches class 3: {reaches}")
# %% [markdown]
# Its own weights cannot change any more. Only if the features below happen to change in
# its favour can it come back. In the study, three seeds with the last ReLU reached
# {record:mobile_garments.study.squeeze_relu.accuracy_min:.1%} to
# {record:mobile_garments.study.squeeze_relu.accuracy_max:.1%}; without it
# {record:mobile_garments.study.squeeze.accuracy_min:.1%} to
# {record:mobile_garments.study.squeeze.accuracy_max:.1%}. We looked into the three: two
# of them are silent in two classes each (pullover and bag; pullover and coat), and
# never name them. The third has all ten. Our small SqueezeNet leaves that ReLU out.
#
# ## All of them, recorded
# Six epochs, three seeds, 10,000 garments, in pairs that differ in one thing. A dot is
# a seed.
# %%
from crashcourse.recipes import load_record

study = load_record("mobile_garments", "study")
groups = [
    {
        "full": "full 3×3, eight times the cost",
        "full_narrow": "full 3×3, equal cost",
        "separable": "separable (MobileNet)",
    },
    {"relu": "v2, ReLU6 in the bottleneck", "linear": "v2, linear bottleneck"},
    {"no_shuffle": "ShuffleNet, not shuffled", "shuffle": "ShuffleNet, shuffled"},
    {"squeeze_relu": "SqueezeNet, last ReLU", "squeeze": "SqueezeNet, without it"},
]
rows = []
for group in groups:
    for name, label in group.items():
        found = [study.field(f"{name}.{key}") for key in ("accuracy", "accuracy_std")]
        size = study.field(f"{name}.parameters")
        rows.append([label, size, *(f"{value:.3f}" for value in found)])
show_table(rows, ["network", "parameters", "accuracy", "±"], "Mean over three seeds")
# %%
fig, axes = figure(height=3.9)
ticks, height = {}, 0.0
for group, colour in zip(groups, COLOURS.values(), strict=False):
    for name, label in group.items():
        dots = [100 * seed.metrics["accuracy"] for seed in study.variants[name]]
        axes.plot(dots, [height] * len(dots), "o", color=colour, alpha=0.7)
        ticks[label], height = height, height + 1
    height += 0.5
axes.set_yticks(list(ticks.values()), list(ticks))
axes.invert_yaxis()
axes.set(xlabel="accuracy on unseen garments (%)")
alt = "A dot a seed. Pairs overlap; two SqueezeNets with a last ReLU lie far back."
show(fig, alt=alt)
# %% [markdown]
# At equal cost, three of the four pairs cannot be told apart; in the fourth, two of
# three seeds with the last ReLU are far behind. Linear or ReLU6 in the bottleneck:
# {record:mobile_garments.study.linear.accuracy:.1%} against
# {record:mobile_garments.study.relu.accuracy:.1%}. Shuffled or not:
# {record:mobile_garments.study.shuffle.accuracy:.1%} against
# {record:mobile_garments.study.no_shuffle.accuracy:.1%}, and the unshuffled one even
# lies ahead. These runs **do not show** what the papers found on ImageNet.
#
# That does not refute them. Ours are shallow: in a network of six units, the first 1×1
# (ungrouped, as in the paper), the classifier, and 2000 test images leave little room
# for an effect of one or two points. It does say: what helps on 1000 classes with 50
# layers need not help you on ten. Measure.
#
# ## Full scale
# The same networks twice as wide, on all 60,000 garments, for 30 epochs. With a GPU
# this cell runs the separable one; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("mobile_garments")
# %% [markdown]
# ## What changed since
# The inverted residual lives on in EfficientNet, the next lesson, with
# squeeze-and-excitation in its middle. MobileNet v3 (Howard et al., 2019) was found by
# a search that *measured* time on a phone. Phones have since got chips that multiply
# 8-bit matrices very fast; there full convolutions often beat depthwise ones at equal
# time, and newer designs put them back in early layers (Gupta and Tan, 2019). Depthwise
# convolutions with large kernels returned in ConvNeXt (Liu et al., 2022).
#
# *References:* A. Howard et al., "MobileNets", 2017, arXiv 1704.04861. M. Sandler et
# al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, arXiv 1801.04381.
# X. Zhang, X. Zhou, M. Lin, J. Sun, "ShuffleNet", 2018, arXiv 1707.01083. N. Ma, X.
# Zhang, H.-T. Zheng, J. Sun, "ShuffleNet V2: practical guidelines for efficient CNN
# architecture design", 2018, arXiv 1807.11164. F. Iandola et al., "SqueezeNet", 2016,
# arXiv 1602.07360. S. Han, H. Mao, W. Dally, "Deep compression", 2015, arXiv
# 1510.00149. S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the
# ACM, 2009. A. Howard et al., "Searching for MobileNetV3", 2019, arXiv 1905.02244. S.
# Gupta, M. Tan, "EfficientNet-EdgeTPU", Google AI blog, 2019. Z. Liu et al., "A ConvNet
# for the 2020s", 2022, arXiv 2201.03545.
