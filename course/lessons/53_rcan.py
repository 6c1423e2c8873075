# ---
# jupyter:
#   crashcourse:
#     title: RCAN
#     part: restoration
#     budget_seconds: 90
#     budget_mb: 1500
#     minutes_to_teach: 80
#     needs: [13, 15]
#     about: [restoration.rcan, restoration.edsr]
# ---
# %% [markdown]
# # 400 layers, and a way around them
# A small photograph becomes one of twice the size: three new pixels for each old one.
# Networks that guess them well are deep, and deep ones do not train. In about 80
# minutes you will see that happen, open three kinds of ways around the layers, build
# channel attention, RCAN's block, its group and the whole network, and train a small
# one against the rule that every photo program has. Then you set what each part is
# worth here beside what it is worth in the paper.
# %%
import torch
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, image_grid, show, show_table

# %% [markdown]
# ## The rule to beat
# Ten photographs are kept apart; nothing is ever trained on them. From the middle of
# each we take a square of 192×192 pixels, and make it half as large, as the field does:
# bicubic, rounded to 8 bits. The task is the way back.
#
# **Bicubic** enlarging is the rule to beat: each new pixel is a weighted mean of the
# 4×4 old ones around it, always with the same weights.
# %%
from crashcourse.recipes.photographs import held_out
from crashcourse.recipes.restorer import mean_scores, score
from crashcourse.recipes.rcan import enlarge, scores_on_y
from crashcourse.restoration import bicubic_resize, luma, psnr, quantize


def bicubic(low: Tensor) -> Tensor:
    """Twice as large, (N, 3, H, W) -> (N, 3, 2H, 2W): as an 8-bit file holds it."""
    return quantize(bicubic_resize(low, 2))


held = held_out(enlarge, side=192)
low, truth = held.examples["astronaut"]  # (1, 3, 96, 96), (1, 3, 192, 192)
guess = bicubic(low)
# %%
coarse = low.repeat_interleave(2, 2).repeat_interleave(2, 3)  # each pixel as 2×2
lost = (4 * (truth - guess).abs()).clamp(max=1)
part = torch.cat([coarse, guess, truth, lost])[..., 40:136, 40:136]  # (4, 3, 96, 96)
alt = (
    "A space suit's collar: in coarse pixels, soft, sharp; lost are edges, thin lines."
)
image_grid(part, ["small", "bicubic", "truth", "lost, times 4"], columns=4, alt=alt)
# %% [markdown]
# ### How good is it? Three answers
# **PSNR** compares with the truth: 10 · log₁₀(1 / mean squared error), in decibels,
# with white as 1. Half the squared error is 3 dB more. But the error of *what*? The
# papers on super-resolution compare brightness alone,
#
# $$Y = 16 + 65.481\,R + 128.553\,G + 24.966\,B \quad (R, G, B \text{ from } 0 \text{
# to } 1)$$
#
# and leave out as many pixels along the border as the factor of enlargement. Same
# picture, same rule: by how much will the three numbers differ? Guess.
# %% tags=["guess"]
print("PSNR of the bicubic astronaut, in dB:")
measured("red, green, blue, all pixels", psnr(guess, truth), digits=4)
measured("brightness Y, all pixels    ", psnr(guess, truth, on="y"), digits=4)
protocol = psnr(guess, truth, on="y", border=2)
measured("brightness Y, 2 pixels off  ", protocol, digits=4)
# %% [markdown]
# Y runs from 16 to 235 and not to 255, and the peak still counts as 255. So an error
# that is the same in all colours shrinks to 219/255, which gives 20 · log₁₀(255/219) =
# 1.3 dB for nothing. The rest of the difference: where colours err in different
# directions, a weighted mean of the three errs less. Numbers from two protocols say
# nothing about each other. From here on: **Y, 8 bits, 2 pixels off**, and the mean of
# the ten PSNRs.
# %%
yardstick = mean_scores(score(bicubic, held, measure=scores_on_y))
measured("bicubic, mean over ten photographs:", yardstick["psnr"], "dB", digits=4)


# %% [markdown]
# ## What is missing
# How much of the truth does bicubic bring back? As a share of the variance of Y,
# 1 − mean((truth − bicubic)²) / var(truth):
# %%
def explained(found: Tensor, truth: Tensor) -> Tensor:
    """Which share of the variance of Y an image explains: a number."""
    a, b = luma(found, "y"), luma(truth, "y")  # (1, 1, H, W)
    return 1 - (a - b).square().mean() / b.var()


shares = [explained(bicubic(low), truth) for low, truth in held.examples.values()]
claim("explained by bicubic, median of ten", torch.stack(shares).median(), at_least=0.9)
# %% [markdown]
# Nearly all of it. A small photograph holds the *low* frequencies: light and shade,
# large shapes. What is missing is little, and all of it is edges and texture. Keep
# that in mind: whatever a network does, most of its output is what came in.
#
# ## The plan: a stack of convolutions
# SRCNN (2014) enlarged first and repaired later. It is cheaper the other way: a pixel
# of the small image stands for four, so compute there, and enlarge last. That needs
# four values for each place, and a way to lay them out as 2×2. It is called **pixel
# shuffle**:
# %%
four = torch.tensor([1.0, 2, 3, 4]).view(1, 4, 1, 1)  # four maps of one pixel
print(nn.PixelShuffle(2)(four)[0])  # (1, 2, 2): one map of 2×2
# %% [markdown]
# For three colours it takes 12 maps, the first four for red. And a score leaves out a
# border of the *image*: where is it cut off, before the shuffle or behind it? A border
# of 3 pixels, at a scale of 2, gives the answer.
#
# **Exercise 1** (7 minutes). Write both: the shuffle for any scale, from `reshape` and
# `permute` in place of `nn.PixelShuffle`, and the cut.
# %% exercise="restoration.shuffle_and_shave"
# %% [markdown]
# Before the shuffle only borders of 0, 2, 4 pixels could be cut off, so it must be
# behind it. `nn.PixelUnshuffle` takes an image apart into maps; `shuffle_and_shave`
# (yours, once it passes) puts it together, less a border. Is it the same picture, and
# the PSNR that of the protocol?
# %%
apart_in_maps = nn.PixelUnshuffle(2)  # (1, 3, 192, 192) -> (1, 12, 96, 96)
inner_guess = shuffle_and_shave(apart_in_maps(guess), 2, 2)  # (1, 3, 188, 188)
inner_truth = shuffle_and_shave(apart_in_maps(truth), 2, 2)
print("the same picture:", torch.equal(inner_truth, truth[..., 2:-2, 2:-2]))
same = torch.allclose(psnr(inner_guess, inner_truth, on="y"), protocol)
print("the protocol's PSNR:", same)
# %% [markdown]
# So all networks of this lesson have one frame, that of EDSR (Lim et al., 2017):
#
# 1. **head**: a 3×3 convolution from 3 colours to C maps,
# 2. **body**: whatever we like, at low resolution,
# 3. **tail**: a 3×3 convolution to 4 · C maps, pixel shuffle, and a 3×3 convolution to
#    3 colours.
#
# Inside, colours run from 0 to 255, less the mean colour of a large set of photographs;
# the mean is added again at the end. None of that is learned. The loss is the mean
# absolute error (L1).
#
# Now the body. Take 3, 9 or 25 convolutions with ReLUs behind them. More of them see
# further and can say more. The study below trained each from three seeds, with the same
# updates. How will PSNR change from 3 to 25? Guess.
# %%
from crashcourse.recipes import load_record
from crashcourse.recipes.rcan import DEPTHS

study = load_record("depth_photos", "study")


def draw_depths(kinds: dict[str, str], alt: str) -> None:
    """PSNR against depth: a dot for each seed, a line through the means."""
    fig, axes = figure(height=3.0)
    for kind, colour in kinds.items():
        names = [f"{kind}_{depth}" for depth in DEPTHS]
        for depth, name in zip(DEPTHS, names, strict=True):
            values = [seed.metrics["psnr"] for seed in study.variants[name]]
            axes.plot([depth] * len(values), values, "o", color=COLOURS[colour])
        means = [study.field(f"{name}.psnr") for name in names]
        axes.plot(DEPTHS, means, color=COLOURS[colour], label=kind)
    axes.axhline(yardstick["psnr"], color="black", linestyle=":", label="bicubic")
    axes.set(xlabel="convolutions in the body", ylabel="PSNR on Y (dB)", xticks=DEPTHS)
    axes.legend()
    show(fig, alt=alt)


# %% tags=["guess"]
print("PSNR by depth:")
alt = "PSNR of plain stacks falls with depth, and lies far below bicubic."
draw_depths({"plain": "vermilion"}, alt)
# %% [markdown]
# Deeper is *worse*: {record:depth_photos.study.plain_3.psnr:.1f} dB with 3,
# {record:depth_photos.study.plain_9.psnr:.1f} with 9,
# {record:depth_photos.study.plain_25.psnr:.1f} with 25 convolutions. Yet 25 could do
# whatever 3 can, if the others only handed things on. You have met this surprise in
# lesson 13. Here it comes sooner: even 3 are far from bicubic.
#
# ### Where did the picture go?
# Take two photographs a and b, and fresh networks of 51 convolutions. How different are
# the features of the two still, behind each layer? As a part of their size, |a − b| /
# |a|, with a and b now their features. Beside the plain stack, one that is as deep,
# with a way around every two convolutions: x + conv(ReLU(conv(x))), lesson 13's
# residual block without BatchNorm. `network.sub_mean` below takes the mean colour away.
# %%
from crashcourse.recipes.rcan import stack


@torch.no_grad()
def apart(network: nn.Module, pair: Tensor) -> tuple[list[int], list[float]]:
    """After how many convolutions the features of a pair differ by how much."""
    x = network.head(network.sub_mean(255 * pair))  # (2, C, H, W)
    counts, gaps = [0], []
    for part in network.body:
        gaps.append(((x[0] - x[1]).norm() / x[0].norm()).item())
        x = part(x)
        convolutions = sum(isinstance(layer, nn.Conv2d) for layer in part.modules())
        counts.append(counts[-1] + convolutions)
    return counts[:-1], gaps


# %% tags=["guess"]
torch.manual_seed(0)
pair = torch.cat([held.examples[name][0] for name in ("astronaut", "coffee")])
fig, axes = figure(height=2.9)
last = {}
for kind, colour in (("plain", "vermilion"), ("skips", "blue")):
    counts, gaps = apart(stack(f"{kind}_51", 16), pair)
    last[kind] = gaps[-1]
    axes.semilogy(counts, gaps, color=COLOURS[colour], label=kind)
axes.set(xlabel="convolutions", ylabel="difference of two\nphotographs, relative")
axes.legend()
print("how different two photographs still are:")
show(fig, alt="Plain: it falls below a millionth. With skips it stays near 1.")
# %%
claim("plain stack, at its end", last["plain"], at_most=0.001)
claim("with skips, at its end", last["skips"], at_least=0.1)
# %% [markdown]
# Fresh convolutions, as PyTorch draws their weights, shrink what comes in and add
# biases of their own. Behind 25 of them a plain stack has *forgotten which photograph
# it sees*. Its tail can only learn a mean colour, and the gradients on the way back
# shrink alike. (He's initialisation or BatchNorm would slow that down. EDSR threw
# BatchNorm out, since it loses the scale of the features.) With skips the picture goes
# past the layers, and is there at the end.
#
# Trained, that looks like this. The stacks with skips are EDSR's: residual blocks, one
# convolution behind them, and a long skip around the whole body. With 3, 9 and 25
# convolutions that is 1, 4 and 12 blocks, and *as many parameters* as without skips.
# %%
rows = []
for kind in ("plain", "skips"):
    for depth in DEPTHS:
        name = f"{kind}_{depth}"
        mean, spread = (study.field(f"{name}.psnr{part}") for part in ("", "_std"))
        parameters = study.field(f"{name}.parameters")
        rows.append([kind, depth, parameters, f"{mean:.2f}", f"{spread:.2f}"])
headers = ["body", "convolutions", "parameters", "PSNR (dB)", "±"]
show_table(rows, headers, "Stacks by depth: mean and standard deviation over seeds")
# %%
both = {"plain": "vermilion", "skips": "blue"}
draw_depths(
    both, "With skips PSNR lies above bicubic at every depth; plain stacks fall."
)
# %% [markdown]
# With skips every depth beats bicubic, and depth is of use again: 25 convolutions reach
# {record:depth_photos.study.skips_25.psnr:.2f} dB, 3 reach
# {record:depth_photos.study.skips_3.psnr:.2f}. It took no parameter more. (All six had
# one learning rate, chosen with networks that have skips, and 400 updates. Given long
# training, short plain stacks work: FSRCNN, with eight layers and no skip, came to
# 37.05 dB on Set5, five photographs that most papers test on, where bicubic has 33.66.
# What skips save is that time.)
#
# ## Skips within skips
# EDSR stops at 32 blocks. RCAN (Zhang et al., 2018) has 200, and three kinds of ways
# around them, which the paper calls **residual in residual**:
#
# - in each **block**: x + conv(ReLU(conv(x))),
# - around each **group** of 20 blocks and one convolution, the *short skip*:
#   $F_g = F_{g-1} + W_g\,F_{g,B}$, with $F_g$ the features behind group g, $F_{g,B}$
#   those behind the last of its B blocks, and $W_g$ that convolution,
# - around all G = 10 groups and one convolution W, the *long skip*:
#   $F_{DF} = F_0 + W\,F_G$, with $F_0$ behind the head and $F_{DF}$, the "deep
#   features", what the tail gets.
#
# Here are three groups of two blocks, with all their ways around:
# %%
parts = ["head", *["block", "block", "conv"] * 3, "conv", "tail"]
fig, axes = figure(height=1.8)
for place, words in enumerate(parts):
    style = {"boxstyle": "round", "facecolor": "white", "edgecolor": COLOURS["black"]}
    axes.text(place, 0, words, ha="center", va="center", size=8, bbox=style)
ways = [(0.55, 10.5, 0.33, "vermilion")]  # from, to, how bent, colour
ways += [(first - 0.5, first + 2.5, 0.45, "blue") for first in (1, 4, 7)]
ways += [(p - 0.5, p + 0.5, 0.9, "green") for p in (1, 2, 4, 5, 7, 8)]
for start, end, bend, colour in ways:
    bent = {"connectionstyle": f"arc3,rad={-bend}", "arrowstyle": "->"}
    axes.annotate(
        "", (end, 0.2), (start, 0.2), arrowprops=bent | {"color": COLOURS[colour]}
    )
axes.set(xlim=(-0.6, 11.6), ylim=(-0.5, 2.4))
axes.set_axis_off()
alt = "Arrows: green around each block, blue around each group, one red around all."
show(fig, alt=alt)
# %% [markdown]
# Green around blocks, blue the short skips, red the long one. Convolutions behind the
# blocks are in no block's skip. So without short and long skips the picture has to pass
# eleven of them in the large network, however many blocks have skips.
# %% exercise="rcan.why_long_skip"
# %% [markdown]
# ## A gate for every channel
# The second idea. Behind a convolution are 64 maps. Some hold smooth shade, which is
# known already, others edges. A stack treats them all alike. **Channel attention** lets
# the network turn each map up or down, depending on the *whole image*: the mean of each
# map, two tiny layers, a sigmoid, and a product. You know it from lesson 15 as
# squeeze-and-excitation. By hand, for two maps and one unit between the layers:
# %%
maps = torch.tensor([[[1.0, 3], [2, 2]], [[5, -5], [1, -1]]])  # (2, 2, 2)
means = maps.mean((1, 2))  # (2,): 2 and 0
unit = (0.5 * means[0] - 1 * means[1]).relu()  # down: two means to one unit
gates = torch.sigmoid(torch.stack([2 * unit, -2 * unit]))  # up: one unit to two gates
print("means", means.tolist(), " unit", unit.item())
print("gates", [round(gate, 3) for gate in gates.tolist()])
print((maps * gates[:, None, None])[1])  # the second map, turned down
# %% [markdown]
# With symbols: z the means of C maps, $s = \sigma(W_U\,\delta(W_D\,z))$, δ the ReLU and
# σ the sigmoid. $W_D$ leads from C to C / r numbers, $W_U$ back, with r = 16. As z is a
# map of one pixel, both are 1×1 convolutions; these have biases. Mind the batch: your
# class gets (N, C, H, W), so rows and columns are dimensions 2 and 3, not 1 and 2.
#
# **Exercise 2** (8 minutes). Write it.
# %% exercise="restoration.channel_attention"
# %% [markdown]
# **RCAB**, the residual channel attention block: the gates act on what the block
# *adds*, before it is added. There is no BatchNorm, and no ReLU behind the sum.
#
# **Exercise 3** (6 minutes). Write the block.
# %% exercise="restoration.rcab"
# %% [markdown]
# **Exercise 4** (6 minutes). And a group: blocks, a convolution, and the short skip.
# %% exercise="restoration.residual_group"
# %% [markdown]
# The rest is EDSR's frame, which adds the long skip. Your RCAN, small: 4 groups of 3
# blocks, 16 channels. The gates go through 4 units, as in the large network
# (64 / 16 = 4), so r = 4. In the picture, MACs are multiplications, each with its
# addition, for an image of 48×48.
# %%
from crashcourse.figures import network_diagram
from crashcourse.restoration.edsr import SuperResolver


def own_rcan(groups: int, blocks: int, width: int, reduction: int) -> SuperResolver:
    parts = [Group(blocks, width, reduction) for _ in range(groups)]
    body = nn.Sequential(*parts, nn.Conv2d(width, width, 3, padding=1))
    return SuperResolver(body, scale=2, width=width)  # long skip: around the body


torch.manual_seed(0)
mine = own_rcan(4, 3, 16, 4)
network_diagram(mine.body, (16, 48, 48), by="child", title="Body: 4 groups, 16 maps")
# %% [markdown]
# Is it RCAN? The package's, with the same numbers in the same order, must give the same
# picture:
# %%
from crashcourse.restoration import RCAN


@torch.no_grad()
def copy_into(network: nn.Module, source: nn.Module) -> None:
    for own, other in zip(network.parameters(), source.parameters(), strict=True):
        own.copy_(other)


package = RCAN(2, groups=4, blocks=3, width=16, reduction=4)
copy_into(package, mine)
with torch.no_grad():
    same = torch.allclose(package(low), mine(low), atol=1e-5)
print("the same picture:", same)
# %% [markdown]
# ## How large is it?
# **Exercise 5** (10 minutes). Count the parameters of any RCAN, from the inside out: a
# 3×3 convolution of C to C maps has 9 · C² weights and C biases; then gates, block,
# group, body; then head and tail.
# %% exercise="restoration.rcan_size"
# %%
from crashcourse.inspection import count_macs, count_parameters
from crashcourse.restoration import edsr, edsr_baseline, rcan

with torch.device("meta"):  # shapes without numbers: no memory
    whole = rcan(2)
print(f"yours counts    {rcan_size(10, 20, 64):,}")
print(f"the network has {count_parameters(whole):,}")
# %% [markdown]
# Three rules for the table that follows. A **MAC** is one multiplication and its
# addition: a convolution has as many as weights times places, and a bias is none. A 3×3
# convolution sees one pixel further on each side, so that n of them see 2n + 1 pixels.
# And for ×4, the first convolution of the tail and its shuffle come twice.
# %% exercise="rcan.sizes"
# %% [markdown]
# ### How far it sees
# Beside RCAN the two stacks of EDSR, and our small one, gates left out. MACs are for an
# image of 48×48:
# %%
from crashcourse.classification.convolution import receptive_field


def window(network: SuperResolver) -> int:
    """Side of what a place behind the body sees, gates left out, in pixels."""
    layers = [*network.head.modules(), *network.body.modules()]
    kernels = [layer.kernel_size[0] for layer in layers if isinstance(layer, nn.Conv2d)]
    return receptive_field([(kernel, 1) for kernel in kernels])


with torch.device("meta"):
    networks = {
        "EDSR baseline, 16 blocks of 64": edsr_baseline(2),
        "EDSR, 32 blocks of 256": edsr(2),
        "RCAN, 200 blocks of 64": whole,
        "ours, 12 blocks of 16": RCAN(2, groups=4, blocks=3, width=16, reduction=4),
    }
# %%
rows = []
for name, network in networks.items():
    macs = count_macs(network, (3, 48, 48)) / 1e9
    parameters = count_parameters(network) / 1e6
    rows.append([name, f"{parameters:.2f}", f"{macs:.1f}", window(network)])
headers = ["×2", "parameters (M)", "GMACs", "sees (pixels)"]
show_table(rows, headers, "Wide, or deep and narrow")


# %% [markdown]
# The last column is the side of the square that a place behind the body sees. RCAN's is
# six times EDSR's, with under 40 % of its parameters and MACs: twice the layers cost
# twice as much, twice the channels four times.
#
# And with the gates? A gate comes from means over the *whole* map. Ask the network
# itself: which input pixels move the pixel in the middle of the output? Gradients tell,
# of fresh networks without and with gates. How large is the square? Guess.
# %%
def reach(network: nn.Module, side: int = 97) -> Tensor:
    """How much each input pixel moves the output's middle: (side, side)."""
    image = torch.rand(1, 3, side, side, requires_grad=True)
    network(image)[0, :, side, side].sum().backward()
    return image.grad[0].abs().sum(0)


torch.manual_seed(0)
small = {"groups": 4, "blocks": 3, "width": 16, "reduction": 4}
without, gated = reach(RCAN(2, **small, attention=False)), reach(RCAN(2, **small))
# %% tags=["guess"]
print("side of the square of pixels that count:")
for title, influence in (("without gates", without), ("with gates", gated)):
    print(f"{title:13} {int((influence > 0).any(0).sum())} of 97")
fig, panels = figure(1, 2, height=2.9)
titles = ("without gates", "with gates")
for axes, influence, title in zip(panels, (without, gated), titles, strict=True):
    logs = (influence / influence.max()).clamp(min=1e-12).log10()
    picture = axes.imshow(logs, cmap="viridis", vmin=-12, vmax=0)
    axes.set(title=title, xticks=[], yticks=[])
    axes.grid(False)
fig.colorbar(picture, ax=panels, label="log₁₀ of the influence", shrink=0.8)
alt = "Without gates a square in the middle, and nothing outside; with gates all."
show(fig, alt=alt)
# %% [markdown]
# Without gates: 61 behind the body, and three more by the tail. Its first convolution
# adds one on each side. The second works at twice the size, where one of the pixel's
# two neighbours belongs to the same small pixel: it adds one side only. With gates
# everything counts, wherever it lies, a little. Few numbers pass that way, one for each
# channel of each block, and they say nothing about *where*. But every place gets them.
#
# ## The run
# The small RCAN learns from 19 other photographs: patches of 32×32, turned and mirrored
# at random, halved, in batches of eight. (Halved last, so that both of a pair show the
# same place.) As in the paper the network makes the whole picture itself. Nothing is
# added to a bicubic one, so it starts from nothing and has to find out first what
# bicubic knows. (Paper: patches of 96×96 from 800 photographs, Adam at 0.0001, halved
# every 200,000 updates. Here: Adam under one cycle that peaks at
# {record:rcan_photos.study.learning_rate}, for 400 updates.) An epoch in the figure is
# 100 updates. Its PSNR is quick to take: from the middle 96×96 of the ten photographs,
# so it is not quite the number on all 192×192 that comes below it.
# %%
from crashcourse.figures import learning_curves
from crashcourse.recipes import train

run = train("rcan_photos", progress=False)
model = run.model.cpu()
learning_curves(run.history, ["loss", "test_psnr"])
# %%
gain = run.metrics["psnr"] - yardstick["psnr"]
measured("RCAN, mean over ten photographs:", run.metrics["psnr"], "dB", digits=4)
claim("RCAN − bicubic", gain, at_least=0.7, unit="dB")
# %% [markdown]
# Put the weights into *your* network. All that follows is drawn by it: first what each
# photograph gains, then two crops. Look at the joints of the bricks, and at the edge of
# the collar.
# %%
copy_into(mine, model)
ours = score(mine, held, measure=scores_on_y)
rule = score(bicubic, held, measure=scores_on_y)
gains = {name: ours[name][0] - rule[name][0] for name in ours}
order = sorted(gains, key=gains.get)
fig, axes = figure(height=3.0)
axes.barh(order, [gains[name] for name in order], color=COLOURS["blue"])
axes.axvline(0, color="black", linewidth=0.8)
axes.set(xlabel="gain over bicubic (dB, on Y)")
alt = "A bar for each of ten photographs: what the network gains over bicubic."
show(fig, alt=alt)


# %%
def enlarged(image: Tensor) -> Tensor:
    """What your network makes of small images, as an 8-bit file holds it."""
    with torch.no_grad():
        return quantize(mine(image))  # (N, 3, 2H, 2W)


tiles = []
for name in ("brick", "astronaut"):
    low, truth = held.examples[name]
    off = (4 * (enlarged(low) - truth).abs()).clamp(max=1)
    tiles += [bicubic(low), enlarged(low), truth, off]
crops = torch.cat(tiles)[..., 40:136, 40:136]  # (8, 3, 96, 96)
titles = ["bicubic", "your RCAN", "truth", "RCAN's error, times 4"]
alt = "Two crops: bicubic is soft, the network sharper; its errors lie along edges."
image_grid(crops, titles * 2, columns=4, alt=alt)
# %% [markdown]
# ### Two tricks at test time
# **Self-ensemble**: enlarge the image in its eight positions, turned and mirrored, turn
# each result back, and take the mean. It needs no training, and eight times the work.
# Papers mark such rows with "+".
# %%
from crashcourse.restoration import self_ensemble, tiled

plus = score(lambda low: self_ensemble(mine, low), held, measure=scores_on_y)
gain = mean_scores(plus)["psnr"] - mean_scores(ours)["psnr"]
claim("gain by self-ensemble", gain, at_least=0.02, unit="dB")
# %% [markdown]
# **Tiles**: a large photograph does not fit into memory. Enlarge pieces with a margin,
# and cut the margin off.
# %% exercise="rcan.attention_in_tiles"
# %%
low, _ = held.examples["rocket"]


def off_by_tiles(network: nn.Module) -> Tensor:
    """Largest difference between tiles and one pass, where white is 255."""
    with torch.no_grad():
        at_once = network(low)
    pieces = tiled(network, low, tile=32, margin=32, scale=2)
    return 255 * (pieces - at_once).abs().max()


torch.manual_seed(0)
claim("without gates", off_by_tiles(RCAN(2, **small, attention=False)), at_most=0.01)
claim("with gates   ", off_by_tiles(mine), at_least=0.01)
# %% [markdown]
# ## What the gates have learned
# The twelve blocks have 16 gates each. Here are the first block's and the last one's,
# for all ten photographs: a row for each photograph, a column for each channel. Where a
# column has one colour, all photographs have the same gate.
# %%
from crashcourse.restoration import gates_of

images = torch.cat([low for low, _ in held.examples.values()])  # (10, 3, 96, 96)
gates = gates_of(model, images)  # 12 times (10, 16)
fig, panels = figure(1, 2, height=3.4, sharey=True)
for axes, block in zip(panels, (0, 11), strict=True):
    order = gates[block].mean(0).argsort()  # channels, most closed first
    picture = axes.imshow(gates[block][:, order], vmin=0, vmax=1, aspect="auto")
    axes.set(title=f"block {block + 1}", xlabel="channel, sorted", xticks=[])
    axes.grid(False)
panels[0].set_yticks(range(10), list(held.examples))
fig.colorbar(picture, ax=panels, label="gate")
show(fig, alt="Gates of ten photographs in the first and in the last block.")
# %% [markdown]
# Channels differ: some are turned down for every photograph, some are nearly open for
# all. Down one column, that is between photographs, the colour changes less. How is it
# from block to block? The mean gate, and the standard deviation between photographs, as
# a mean over the channels:
# %%
spread = [block.std(0).mean().item() for block in gates]
level = [block.mean().item() for block in gates]
fig, panels = figure(1, 2, height=2.7)
titles = ("mean gate", "spread between photographs")
for axes, values, title in zip(panels, (level, spread), titles, strict=True):
    axes.bar(range(1, 13), values, color=COLOURS["blue"])
    axes.set_title(title, size=11)
    axes.set(xlabel="block", xticks=(1, 4, 7, 10))
show(fig, alt="By block: the mean gate, and how much gates differ between photographs.")
measured("largest spread of a block", max(spread))
measured("smallest spread of a block", min(spread))
# %% [markdown]
# Gates are on average half open, or a little less, at every depth. How much they look
# at the image differs from block to block. Which blocks do is chance: train once more
# from another seed, and it may be others.
#
# Are they *worth* anything? Give every photograph the same gates, the means over
# training photographs; or 1/2 for every channel of every block; or 1. Nothing is
# trained anew. How many decibels will each cost? Guess.
# %%
from crashcourse.recipes.photographs import restoration_photos
from crashcourse.restoration import ChannelAttention

seen = torch.stack(list(restoration_photos("train", side=192).values())) / 255
fixed = [block.mean(0) for block in gates_of(model, enlarge(seen, None)[0])]  # (16,)
blocks = [part for part in model.modules() if isinstance(part, ChannelAttention)]


# %%
def with_gates(chosen: list[Tensor]) -> float:
    """PSNR when every block uses the gates it is given."""
    hooks = []
    for block, gate in zip(blocks, chosen, strict=True):

        def gated(_, inputs, __, gate=gate):  # maps (N, 16, H, W), gate (16,)
            return inputs[0] * gate[:, None, None]

        hooks.append(block.register_forward_hook(gated))
    found = mean_scores(score(model, held, measure=scores_on_y))["psnr"]
    for hook in hooks:
        hook.remove()
    return found


# %% tags=["guess"]
own = run.metrics["psnr"]
half, wide = [torch.full((16,), 0.5)] * 12, [torch.ones(16)] * 12
print("lost with other gates, in dB:")
claim("the same for all photographs", own - with_gates(fixed), at_most=0.05)
claim("all of them 1/2", own - with_gates(half), at_most=0.15)
claim("all of them 1", own - with_gates(wide), at_least=0.03)
# %% [markdown]
# Next to nothing, but for the last. So this network has learned gates, and hardly needs
# them; gates of 1 cost more because they make each block add about twice as much. As in
# lesson 15, a picture of what a part has learned does not say what it is worth.
# %% [markdown]
# ## What each part is worth
# The paper's table 1 takes parts away from a network of 200 blocks, and gives the best
# PSNR of each within 50,000 updates. Our study does so with the small network, after
# 400 updates, for {record:rcan_photos.study.seeds} seeds. *LSC* is the long skip, *SSC*
# the short skips, *CA* channel attention; the skip inside of each block always stays.
# The paper's numbers are for Set5, five photographs, ours for the ten photographs:
# compare differences.
# %% tags=["guess"]
from crashcourse.recipes.rcan import PARTS

record = load_record("rcan_photos", "study")
names = ("none", "long", "short", "long_short")
names += ("attention", "long_attention", "short_attention", "rcan")
published = (37.45, 37.77, 37.81, 37.87, 37.52, 37.85, 37.86, 37.90)  # table 1
paper = dict(zip(names, published, strict=True))
rows = []
for name, published in paper.items():
    parts = PARTS[name]
    has = (parts.long_skip, parts.short_skip, parts.attention)
    marks = ["✓" if part else "" for part in has]
    mean, spread = (record.field(f"{name}.psnr{kind}") for kind in ("", "_std"))
    rows.append([*marks, f"{mean:.2f}", f"{spread:.2f}", f"{published:.2f}"])
print("with and without the three parts:")
headers = ["LSC", "SSC", "CA", "ours (dB)", "±", "paper (dB)"]
show_table(rows, headers, "PSNR on Y, ×2")
# %%
fig, axes = figure(height=3.2)
for place, name in enumerate(paper):
    values = [seed.metrics["psnr"] for seed in record.variants[name]]
    colour = COLOURS["orange" if PARTS[name].attention else "blue"]
    axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.7)
axes.axvline(yardstick["psnr"], color="black", linestyle=":")
axes.set_yticks(range(8), [name.replace("_", " + ") for name in paper])
axes.invert_yaxis()
axes.set(xlabel="PSNR on Y (dB); dotted: bicubic")
alt = "Dots of eight networks: without long and short skips far left, the others right."
show(fig, alt=alt)
# %% [markdown]
# **Skips.** In the rows without attention the order is the paper's, and the steps are
# larger. Without long and short skips the network reaches
# {record:rcan_photos.study.none.psnr:.1f} dB, less than bicubic, though each of its
# blocks has a skip of its own. The long skip alone lifts it to
# {record:rcan_photos.study.long.psnr:.2f} dB, short ones alone to
# {record:rcan_photos.study.short.psnr:.2f}, both to
# {record:rcan_photos.study.long_short.psnr:.2f}. In the paper all of this is 0.4 dB.
# There are over a hundred times as many updates; here the networks without ways around
# are cut off while they still learn what bicubic knows. (All eight have one learning
# rate. How wide the gap is at another, this record does not say.)
#
# **Attention.** With both skips: {record:rcan_photos.study.rcan.psnr:.2f} dB with,
# {record:rcan_photos.study.long_short.psnr:.2f} without. That is no difference: seeds
# of the same network differ by as much. The paper's own gain is 0.03 dB here, from one
# run each, as far as it says, and was found in 200 blocks after 50,000 updates. Twelve
# blocks and 400 updates cannot show that, and do not say that it is not so. In the
# other rows seeds scatter. Without ways around, attention seems to help:
# {record:rcan_photos.study.attention.psnr:.1f} against
# {record:rcan_photos.study.none.psnr:.1f} dB. But without it the three seeds alone lie
# between {record:rcan_photos.study.none.psnr_min:.1f} and
# {record:rcan_photos.study.none.psnr_max:.1f}. With short skips alone it seems to harm:
# one seed of three went astray.
# %% [markdown]
# ## Where it fails
# Cut the ten photographs into squares of 32×32, and sort them by squared error. The
# four worst, with bicubic and the truth:
# %%
squares = []
for low, truth in held.examples.values():
    pictures = torch.cat([bicubic(low), enlarged(low), truth])  # (3, 3, 192, 192)
    cut = pictures.unfold(2, 32, 32).unfold(3, 32, 32)  # (3, 3, 6, 6, 32, 32)
    squares.append(cut.permute(2, 3, 0, 1, 4, 5).flatten(0, 1))  # (36, 3, 3, 32, 32)
# %%
squares = torch.cat(squares)  # (360, 3, 3, 32, 32)
errors = (squares[:, 1] - squares[:, 2]).square().mean((1, 2, 3))  # (360,)
worst = squares[errors.argsort(descending=True)[:4]]  # (4, 3, 3, 32, 32)
alt = "Three rows of four squares: bicubic, the network, the truth: fine texture."
titles = [name for name in ("bicubic", "your RCAN", "truth") for _ in range(4)]
image_grid(worst.transpose(0, 1).flatten(0, 1), titles, columns=4, alt=alt)
# %% [markdown]
# In our runs they come from the lawn. A straw is thinner than a pixel of the small
# image, so where it ran cannot be told from that. Many sharp pictures fit; the answer
# with the least error on average lies between them, and is soft. That is what L1 and
# PSNR ask for. A network that is to *invent* straws needs another loss.
#
# ## Full scale
# The paper's network, patches and batches, for the 50,000 updates of its table 1, on
# our 19 photographs. With a GPU this cell runs it (some hours); elsewhere it shows the
# record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("rcan_photos")
# %% [markdown]
# What the paper reached, trained on the 800 photographs of DIV2K, ×2, PSNR on Y (dB):
#
# | | parameters | Set5 | Set14 | B100 | Urban100 |
# |---|---|---|---|---|---|
# | bicubic | | 33.66 | 30.24 | 29.56 | 26.88 |
# | EDSR | 40.7 M | 38.11 | 33.92 | 32.32 | 32.93 |
# | RDN | 22.1 M | 38.24 | 34.01 | 32.34 | 32.89 |
# | RCAN | 15.4 M | **38.27** | **34.12** | **32.41** | **33.34** |
#
# (Zhang et al., 2018, table 2. Parameters are counted from live networks. The sets have
# 5, 14, 100 and 100 pictures; RDN is a network of dense blocks, as in lesson 14, with
# skips.) The gain over EDSR is largest on Urban100: photographs of buildings, where the
# same window comes again and again.
#
# ## What changed since
# Lin et al. (2022) trained an RCAN that they had hardly changed for longer and with a
# better recipe, and found that it keeps up with nearly all convolutional networks that
# came after: it had been underfitting. SwinIR (Liang et al., 2021) puts attention
# between *places* of a window into the same frame: head, groups with a convolution and
# a skip, long skip, pixel shuffle. NAFNet (Chen et al., 2022) keeps channel attention,
# and leaves out its ReLU and its sigmoid.
#
# *References:* Y. Zhang, K. Li, K. Li, L. Wang, B. Zhong, Y. Fu, "Image
# super-resolution using very deep residual channel attention networks", 2018, arXiv
# 1807.02758. B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, "Enhanced deep residual
# networks for single image super-resolution", 2017, arXiv 1707.02921. C. Dong, C. C.
# Loy, K. He, X. Tang, "Image super-resolution using deep convolutional networks", 2014,
# arXiv 1501.00092. W. Shi et al., "Real-time single image and video super-resolution
# using an efficient sub-pixel convolutional neural network", 2016, arXiv 1609.05158. J.
# Hu et al., "Squeeze-and-excitation networks", 2017, arXiv 1709.01507. R. Timofte, R.
# Rothe, L. Van Gool, "Seven ways to improve example-based single image super
# resolution", 2016, arXiv 1511.02228. Z. Lin et al., "Revisiting RCAN: improved
# training for image super-resolution", 2022, arXiv 2201.11279. C. Dong, C. C. Loy, X.
# Tang, "Accelerating the super-resolution convolutional neural network" (FSRCNN), 2016,
# arXiv 1608.00367. J. Liang et al.,
# "SwinIR: image restoration using Swin Transformer", 2021, arXiv 2108.10257. L. Chen et
# al., "Simple baselines for image restoration", 2022, arXiv 2204.04676.
