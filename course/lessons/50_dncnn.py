# ---
# jupyter:
#   crashcourse:
#     title: DnCNN
#     part: restoration
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 80
#     needs: [10, 13]
#     about:
#     - restoration.quality
#     - restoration.noise
#     - restoration.dncnn
#     - restoration.ffdnet
# ---
# %% [markdown]
# # Predict what is wrong, not what is right
# Every photograph is noisy; in the dark you see it. In about 80 minutes you will build
# a network that takes the noise off, and measure by how much. On the way you write both
# measures that papers on restoration print, and learn what each of them misses. The
# trick of the lesson: the network never paints the picture. It predicts the noise.
# %%
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, image_grid, show, show_table

# %% [markdown]
# ## Noise, in the units of papers
# The model is as simple as can be: $y = x + n$. $x$ is the clean image, $y$ what you
# see. $n$ is drawn for every pixel from a normal distribution with mean 0 and standard
# deviation σ. Papers give σ on the scale where white is 255. Images here are floats in
# [0, 1], so that σ = 25 is a deviation of 25/255. Four pixels:
# %%
from crashcourse.restoration import gaussian_noise

x = torch.tensor([[[[0.2, 0.4], [0.6, 0.8]]]])  # (1, 1, 2, 2)
print((255 * x).round())
print((255 * gaussian_noise(x, 25, generator=1)).round())
# %% [markdown]
# Ten photographs, on which nothing in this lesson trains. We look at grey squares of
# 192×192 pixels from their middles.
# %%
from crashcourse.datasets import photos
from crashcourse.recipes.dncnn import with_noise
from crashcourse.recipes.photographs import held_out

SIDE = 192
test = held_out(with_noise(25), grey=True, side=SIDE)
clean = {name: x for name, (_, x) in test.examples.items()}  # (1, 1, 192, 192) each
noisy = {name: y for name, (y, _) in test.examples.items()}
# %%
ROWS, COLUMNS = slice(6, 78), slice(70, 142)


def close(image: Tensor) -> Tensor:
    """A part of an image to look at: (1, 1, 192, 192) -> (1, 72, 72)."""
    return image[0, :, ROWS, COLUMNS].clamp(0, 1)


levels = {"clean": 0, "σ = 10": 10, "σ = 25": 25, "σ = 50": 50}
image_grid(
    [
        close(gaussian_noise(clean[name], sigma, generator=0))
        for name in ("camera", "coffee")
        for sigma in levels.values()
    ],
    [*levels, *[""] * 4],
    columns=4,
    alt="Parts of two photographs, clean, and with noise of sigma 10, 25 and 50.",
)
# %%
for photo in photos("test"):
    print(f"{photo.name:10} {photo.credit} · {photo.licence}")
# %% [markdown]
# ## PSNR: the error in decibels
# How far is an image from the truth? Take the **mean squared error** over all pixels,
# and put it on a logarithmic scale, against the square of the largest possible value:
#
# $$\text{MSE} = \frac{1}{CHW} \sum (\hat x - x)^2, \qquad
# \text{PSNR} = 10 \log_{10} \frac{255^2}{\text{MSE}}$$
#
# $\hat x$ is the restored image, with C channels, H rows and W columns of bytes. The
# unit is the decibel, dB. More is better; an error half as large is 6 dB more. By hand,
# for an error of 10 in every pixel:
# %%
import math

print(f"{10 * math.log10(255**2 / 10**2):.2f} dB")
# %% [markdown]
# **Exercise 1** (8 minutes). Write it for a batch of bytes, one number an image.
# %% exercise="restoration.image_psnr"
# %% [markdown]
# What is the PSNR of noise with σ = 25? You need no image for it: guess a number.
# %% tags=["guess"]
stored = {name: (255 * y.clamp(0, 1)).round().byte() for name, y in noisy.items()}
truth = {name: (255 * x).round().byte() for name, x in clean.items()}
print("from the formula, and of three photographs as files of 8 bits:")
print(f"  formula {20 * math.log10(255 / 25):.2f} dB")
for name in ("chelsea", "rocket", "hubble"):
    value = image_psnr(stored[name], truth[name])
    print(f"  {name:7} {approximately(value.item(), digits=4)} dB")
# %% [markdown]
# The expected squared error of the noise *is* σ². What is written to a file is clipped
# at 0 and 255, and that takes a part of the noise off for free: where the sky of
# "hubble" is black, every negative draw is gone. Papers differ in this. Here the
# network gets y as it is, neither clipped nor rounded; the *score* is that of an 8-bit
# file.
#
# Two images, 40 dB and 20 dB. Which average do tables print?
# %% exercise="dncnn.mean_of_psnr"
# %% [markdown]
# ### What PSNR does not see
# Now spoil one photograph in four ways, each just so much that the PSNR is 24 dB.
# %%
from crashcourse.restoration import psnr


def blurred(image: Tensor, amount: float) -> Tensor:
    """The image moved towards a wide blur of itself: 0 is unchanged, 1 the blur."""
    wide = image
    for _ in range(3):
        wide = F.avg_pool2d(F.pad(wide, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return image + amount * (wide - image)


def spoiled(image: Tensor, way: Callable[[Tensor, float], Tensor], to: float) -> Tensor:
    """Just so much of it that the PSNR is as asked: by halving an interval."""
    low, high = 0.0, 1.0
    for _ in range(25):
        middle = (low + high) / 2
        too_much = psnr(way(image, middle), image).item() < to
        low, high = (low, middle) if too_much else (middle, high)
    return way(image, high)


# %% [markdown]
# All four have one PSNR. Which looks worst to you, and which best?
# %%
ways = {
    "brighter": lambda image, amount: image + amount,
    "less contrast": lambda image, amount: image + amount * (0.5 - image),
    "blurred": blurred,
    "noise": lambda image, amount: gaussian_noise(image, 255 * amount, generator=0),
}
cup = clean["coffee"]
versions = {name: spoiled(cup, way, 24.0) for name, way in ways.items()}
image_grid(
    [version[0].clamp(0, 1) for version in versions.values()],
    list(versions),
    alt="A cup of coffee brighter, with less contrast, blurred, and noisy.",
)
print([f"{psnr(version, cup).item():.2f} dB" for version in versions.values()])
# %% [markdown]
# ## SSIM: three comparisons in a window
# **Structural similarity** (Wang et al., 2004) looks at one window at a time, 11×11
# pixels. It takes five numbers from the windows $x$ and $y$, at the same place of two
# images: the means $\mu_x$ and $\mu_y$, the variances $\sigma_x^2$ and $\sigma_y^2$,
# and the covariance $\sigma_{xy}$. (These letters are Wang's: this σ is no noise level,
# and $y$ need not be noisy.)
#
# $$\text{SSIM} = \frac{2\mu_x\mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1} \cdot
# \frac{2\sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2}$$
#
# The first factor compares brightness. The second compares contrast and structure: it
# is 1 if the windows differ by a constant only, and near −1 for a negative. $C_1 =
# 0.01^2$ and $C_2 = 0.03^2$, for images in [0, 1], keep flat windows from dividing by
# 0. All five numbers are *weighted* by a Gaussian that adds up to 1. For weights $w$:
#
# $$\mu_x = \sum w\,x, \qquad \sigma_x^2 = \sum w\,(x-\mu_x)^2, \qquad
# \sigma_{xy} = \sum w\,(x-\mu_x)(y-\mu_y)$$
#
# Four pixels with equal weights, and their negative:
# %%
a = torch.tensor([0.2, 0.2, 0.6, 0.6])
b = 1 - a  # their mean is 0.6, that of a is 0.4
covariance = ((a - a.mean()) * (b - b.mean())).mean()
print(f"means {a.mean():.2f} {b.mean():.2f}, covariance {covariance:.3f}")
structure = (2 * covariance + 0.03**2) / (a.var(correction=0) * 2 + 0.03**2)
print(f"second factor {structure:.3f}")
# %% [markdown]
# **Exercise 2** (10 minutes). Write SSIM for one window.
# %% exercise="restoration.window_ssim"
# %% [markdown]
# The SSIM of an image is the mean over all places of the window. Yours at one place,
# and the package's map there:
# %%
from crashcourse.restoration import ssim, ssim_map
from crashcourse.restoration.quality import gaussian_window

row = gaussian_window().float()  # (11,)
weight = row[:, None] * row  # (11, 11)
maps = {name: ssim_map(version, cup) for name, version in versions.items()}
for name, version in versions.items():
    at = (0, 0, slice(60, 71), slice(100, 111))
    mine = window_ssim(version[at], cup[at], weight)
    same = torch.isclose(mine.double(), maps[name][0, 0, 60, 100], atol=1e-4)
    print(f"{name:14} SSIM {ssim(version, cup).item():.2f}   the same here: {same}")
# %%
image_grid(
    [each[0].float().clamp(0, 1) for each in maps.values()],  # (1, 182, 182)
    [f"{name}: {each.mean():.2f}" for name, each in maps.items()],
    alt="Maps of SSIM: nearly white when brighter, dark in flat parts with noise.",
)
# %% [markdown]
# SSIM forgives what the eye forgives, and punishes noise where the image is flat: there
# a little noise is all the structure there is. It is no judge either. It says little
# about colour, and a network trained for it learns to please *it*. Papers print both.
#
# ## Before networks: averages
# The mean of k independent noises has a k-th of the variance. So average over the
# neighbourhood. What does that cost? Here is a Gaussian blur, of several widths, over
# all ten photographs.
# %%
from crashcourse.recipes.restorer import mean_scores, score


def smooth(image: Tensor, width: float) -> Tensor:
    """A Gaussian blur; its standard deviation is `width` pixels."""
    place = torch.arange(-9.0, 10)
    row = torch.exp(-(place**2) / (2 * width**2))
    row = (row / row.sum()).view(1, 1, 1, -1)
    image = F.conv2d(F.pad(image, (9, 9, 0, 0), mode="replicate"), row)
    return F.conv2d(F.pad(image, (0, 0, 9, 9), mode="replicate"), row.mT)


blurs = {
    width: mean_scores(score(lambda y, width=width: smooth(y, width), test))["psnr"]
    for width in (0.01, 0.5, 1.0, 1.5, 2.0, 3.0)  # 0.01: as good as no blur
}
# %% [markdown]
# Guess the best width, and how many decibels it gains.
# %% tags=["guess"]
print("PSNR over the width of the blur:")
fig, axes = figure(height=2.8)
axes.plot(list(blurs), list(blurs.values()), marker="o")
axes.set(xlabel="width of the blur (pixels)", ylabel="PSNR (dB)")
show(fig, alt="PSNR rises with the blur, is best at about one pixel, and falls again.")
# %% [markdown]
# A wider blur takes off more noise, and more of the photograph. **Non-local means**
# (Buades, Coll and Morel, 2005) averages over pixels that belong together: those whose
# *surroundings* look alike. Bricks repeat, and so does sky. It is told σ. How much may
# patches differ? That is its parameter; we give it the best of three, chosen on these
# very photographs, so that it is not the weaker for our choice.
# %%
from crashcourse.restoration import non_local_means

by_means = {
    strength: score(lambda y, s=strength: non_local_means(y, 25, strength=s), test)
    for strength in (0.6, 0.7, 0.8)
}
means = max(by_means.values(), key=lambda each: mean_scores(each)["psnr"])
nothing = mean_scores(score(lambda y: y, test))
measured("noisy           ", nothing["psnr"], "dB", digits=4)
measured("best blur       ", max(blurs.values()), "dB", digits=4)
measured("non-local means ", mean_scores(means)["psnr"], "dB", digits=4)
# %% [markdown]
# BM3D (Dabov et al., 2007) goes on from there: it stacks patches that look alike, and
# denoises the stack in a transform domain. For years it was the one to beat. Its
# package is free for non-commercial use only, so the course does not need it. If you
# install `bm3d`, then `restoration.bm3d(noisy, 25)` runs it. On these squares, where it
# was installed for the record, with noise of σ = 25, and of 10 and 50:
# %%
from crashcourse.recipes import load_record, show_record

show_record("yardsticks_photos")
# %% [markdown]
# ## DnCNN: a stack that predicts the noise
# Now learn it from examples. Clean photographs are at hand, and noise costs nothing: a
# pair (y, x) for each draw. A stack of convolutions goes from y to ... to what? The
# obvious answer is x.
#
# Zhang et al. (2016) let it predict the **residual**, $R(y) \approx n$, and take it
# off: $\hat x = y - R(y)$. Why should that be easier?
# %% exercise="dncnn.why_residual"
# %% [markdown]
# The network has no pooling and no stride, so that every pixel stays where it is. The
# first layer is convolution and ReLU; then come layers of convolution, **BatchNorm**
# and ReLU; the last is a single convolution. All kernels are 3×3, 64 channels wide.
# DnCNN-S, for one **s**pecific level, has 17 layers. From the live module:
# %%
from crashcourse.figures import network_diagram
from crashcourse.inspection import summarize
from crashcourse.restoration import DnCNN, dncnn_s

with torch.device("meta"):  # shapes without numbers
    whole = dncnn_s()
rows = summarize(whole, (1, 40, 40))
network_diagram(
    [*rows[:8], *rows[-4:]],
    title="DnCNN-S, without twelve of its fifteen middle layers",
    alt="A convolution to 64 maps, three of 64 to 64 with BatchNorm, one to 1 map.",
)
# %% [markdown]
# *Zeros at the border:* every layer pads with zeros, so the output is as large as the
# input. Zhang et al. found no artefacts from it.
#
# ### The loss
# Equation 1 of the paper, for N patches with noisy $y_i$ and clean $x_i$:
#
# $$\ell = \frac{1}{2N} \sum_{i=1}^{N} \lVert R(y_i) - (y_i - x_i) \rVert^2$$
#
# Half the squared error, *summed* over pixels, averaged over patches.
#
# **Exercise 3** (6 minutes). Write it.
# %% exercise="restoration.noise_loss"
# %% [markdown]
# With $\hat x = y - R(y)$ it is the squared error of the image, too: the target moved,
# and so did the output. What changed is where the network *starts*. Both, on a batch:
# %%
from crashcourse.restoration import residual_loss

torch.manual_seed(0)
x = cup[:, :, 40:72, 40:72].repeat(4, 1, 1, 1)  # (4, 1, 32, 32)
y = gaussian_noise(x, 25, generator=0)
for residual in (True, False):
    fresh = DnCNN(1, 5, width=16, residual=residual)
    restored = fresh(y)  # y - R(y), or what the last layer gives out
    same = torch.isclose(noise_loss(y - restored, y, x), residual_loss(restored, x))
    start = psnr(restored, x).mean().item()
    print(f"residual={residual!s:5}  the same loss: {same}", end="   ")
    measured("starts at", start, "dB")
# %% [markdown]
# The residual network starts near the noisy image. The other must first learn to copy.
#
# ### What BatchNorm is for here
# The paper puts both together for a reason: the noise is Gaussian, with mean 0 and one
# deviation, whatever the picture. So what flows through a residual network resembles
# what BatchNorm makes. A network that gives out images carries brightness with it,
# which BatchNorm takes away from it at every layer. We will see below what each is
# worth. After training, BatchNorm is a multiplication and a sum for each channel, and
# goes into the convolution before it.
#
# ## Patches, and whose they are
# A network with D layers sees a square of (2D + 1)². It learns as much from patches of
# about that size as from whole photographs, and the patches can come from everywhere:
# DnCNN-S sees 35×35 and learns from 40×40. The small network that you will train sees
# less. Each patch is turned and mirrored at random, and gets new noise in every batch.
# %%
from crashcourse.recipes import recipes
from crashcourse.recipes.photographs import PatchBatches, restoration_photos

budget = recipes()["dncnn_photos"].scale("laptop")
training = restoration_photos("train", grey=True)
batches = PatchBatches(
    list(training.values()),
    with_noise(25),
    patch=budget.patch,
    batch_size=budget.batch_size,
    count=budget.images,
)
y, x = next(iter(batches.epoch(0)))  # (16, 1, 32, 32) twice
image_grid(
    [*x[:8], *y[:8].clamp(0, 1)], columns=8, alt="Eight patches, and with noise."
)
print(f"{budget.depth} layers, {budget.width} channels: sees {2 * budget.depth + 1}²")
print(batches)
print("in training and in test:", set(training) & set(test.examples))
# %% [markdown]
# *A trap:* do not split by patches. Two patches of one photograph share its sky, its
# grain and its edges. If one of them is in training and the other in test, the score is
# that of memory. The split here is by photograph, and the training code refuses a
# photograph that is held out.
#
# ## The run
# A small DnCNN, as deep and as wide as printed above, for less than half a minute. What
# will it reach on the held-out photographs, where non-local means got what you saw
# above? Guess, in dB.
# %%
from crashcourse.recipes import train

run = train("dncnn_photos", progress=False)
model = run.model
# %% tags=["guess"]
print("on photographs that it never saw:")
dncnn = score(model, test)
gain = mean_scores(dncnn)["psnr"] - nothing["psnr"]
margin = mean_scores(dncnn)["psnr"] - mean_scores(means)["psnr"]
measured("PSNR", run.metrics["psnr"], "dB", digits=4)
measured("SSIM", run.metrics["ssim"])
claim("over the noisy image  ", gain, at_least=6, unit="dB")
claim("over non-local means  ", margin, at_least=0.1, unit="dB")
# %%
from crashcourse.figures import learning_curves

learning_curves(run.history, ["loss", "test_psnr"])
# %% [markdown]
# The dashed curve is taken on smaller squares, so it ends at another number. Photograph
# by photograph, in dB, and by how much the network is ahead of non-local means:
# %%
for name in sorted(test.examples, key=lambda name: means[name][0] - dncnn[name][0]):
    both = dncnn[name][0], dncnn[name][0] - means[name][0]
    print(f"{name:10} {approximately(both[0])}  ahead by {approximately(both[1])}")


# %% [markdown]
# Gravel and grass, where nothing repeats exactly, gain most. A wall of bricks is the
# best case of non-local means: every brick is there many times. What the small network
# has learned must do for all pictures, and it sees 15×15 pixels. BM3D, which searches
# further, is still ahead of a minute's network:
# {record:yardsticks_photos.study.bm3d.psnr:.2f} dB on these squares. The published
# tables below are of networks that saw hundreds of photographs, for hours or days.
#
# ### Look at it
# Two photographs closely: noisy, non-local means, the network, the truth.
# %%
@torch.no_grad()
def restored(name: str) -> Tensor:
    return model(noisy[name])


columns = {
    "noisy": lambda name: noisy[name],
    "non-local means": lambda name: non_local_means(noisy[name], 25, strength=0.7),
    "DnCNN": restored,
    "truth": lambda name: clean[name],
}
image_grid(
    [close(of(name)) for name in ("camera", "brick") for of in columns.values()],
    [*columns, *[""] * 4],
    columns=4,
    alt="Two details: noisy, by non-local means, by the network, and clean.",
)
# %% [markdown]
# ### What was taken off
# A denoiser should take off noise, and nothing else. So look at $y - \hat x$: it should
# look like noise everywhere. And at the error $\hat x - x$, which is what is still
# wrong. Grey is 0, both are enlarged fourfold. Where will you see the photograph?
# %% tags=["guess"]
print("left what was taken off, right what is still wrong:")
names = ("camera", "coins", "chelsea")
off = [noisy[name] - restored(name) for name in names]
wrong = [restored(name) - clean[name] for name in names]
image_grid(
    [close(0.5 + 4 * each) for each in off + wrong],
    [f"y − x̂, {name}" for name in names] + [f"x̂ − x, {name}" for name in names],
    columns=6,
    alt="Left what looks like noise; right errors that gather at edges and in fur.",
)
measured("deviation of what was taken off", 255 * torch.cat(off).std())
# %% [markdown]
# On the left hardly a trace of the photograph. On the right it is: errors sit on edges,
# in fur, in the relief of coins. What looks like noise is taken for noise. And what was
# taken off deviates by less than the 25 of the noise. A squared error teaches caution:
# where the network is in doubt, it takes off a part. Which squares of 48×48 pixels come
# out worst?
# %%
tiles = []
for name in test.examples:
    pair = torch.cat([clean[name], noisy[name], restored(name)])  # (3, 1, 192, 192)
    cut = pair.unfold(2, 48, 48).unfold(3, 48, 48)  # (3, 1, 4, 4, 48, 48)
    tiles += list(cut.flatten(1, 3).transpose(0, 1))  # 16 of (3, 48, 48)
scores = torch.stack([psnr(t[None, 2:], t[None, :1])[0] for t in tiles])
order = scores.argsort()
chosen = [tiles[place] for place in [*order[:4:2], *order[-4::2]]]
image_grid(
    [t[part : part + 1].clamp(0, 1) for part in (0, 1, 2) for t in chosen],
    ["worst", "worst", "best", "best", *[""] * 8],
    columns=4,
    alt="Squares of grass, badly restored, and flat ones, restored well.",
)
measured("worst square", scores.min(), "dB")
measured("best square ", scores.max(), "dB")
# %% [markdown]
# Grass in noise: nobody could tell blade from grain. A flat square is the mean of many
# pixels.
#
# ### BatchNorm folded away, and tiles
# Two practical matters. BatchNorm goes into the convolutions; and a large photograph
# goes through in pieces, with a margin of D pixels around each, so that memory stays
# small. Both must change nothing.
# %%
from crashcourse.inspection import count_parameters
from crashcourse.restoration import merge_batch_norm, tiled

merged = merge_batch_norm(model)
large = restoration_photos("test", grey=True)["coffee"][None] / 255  # (1, 1, 400, 600)
large = gaussian_noise(large, 25, generator=0)
with torch.no_grad():
    one_pass, folded = model(large), merged(large)
pieces = tiled(model, large, tile=100, margin=budget.depth)
print(f"{count_parameters(model):,} parameters, folded {count_parameters(merged):,}")
print("folded, the same:", torch.allclose(folded, one_pass, atol=1e-4))
print("in pieces, the same:", torch.allclose(pieces, one_pass, atol=1e-4))
# %% [markdown]
# ## What residual learning and BatchNorm are worth
# The figure that made the paper (its figure 2) compares four networks: predicting the
# noise or the image, with BatchNorm or without. In the paper both together win. Which
# of the four will be best here, where training is a few hundred updates? And which
# worst? Guess.
#
# From the record, with {record:dncnn_photos.study.seeds} seeds. *residual* predicts the
# noise and *direct* the image; *plain* is without BatchNorm. *blind* and *told* come
# further down. `psnr_10` and `psnr_50` are PSNRs where the noise has these levels.
# %% tags=["guess"]
show_record("dncnn_photos")
# %%
study = load_record("dncnn_photos", "study")
if study is not None:
    four = {
        "noise, BatchNorm": "residual",
        "noise": "residual_plain",
        "image, BatchNorm": "direct",
        "image": "direct_plain",
    }
    fig, axes = figure(height=3.4)
    for (label, name), colour in zip(four.items(), COLOURS.values(), strict=False):
        for seed, curve in enumerate(study.curves("test_psnr", name)):
            first = {"label": label} if seed == 0 else {}
            axes.plot(range(1, len(curve) + 1), curve, ".-", color=colour, **first)
    axes.set(
        xlabel="epoch",
        ylabel="PSNR (dB)",
        xticks=range(1, len(curve) + 1),
        ylim=(25, 30),
    )
    axes.legend(ncols=2, loc="upper left")
    alt = "With BatchNorm the noise is learned best, the image worst and most unevenly."
    show(fig, alt=alt)
# %% [markdown]
# A line is a seed, on smaller squares. The lowest begin below the picture. Read the
# table by pairs. BatchNorm *helps* the network that predicts noise:
# {record:dncnn_photos.study.residual_plain.psnr:.2f} dB become
# {record:dncnn_photos.study.residual.psnr:.2f}. It *harms* the one that gives out the
# image: {record:dncnn_photos.study.direct_plain.psnr:.2f} fall to
# {record:dncnn_photos.study.direct.psnr:.2f}, and seeds differ by a decibel. So the two
# ideas belong together, as the paper says; BatchNorm in the wrong place costs more than
# it gains in the right one. Each of the four has a learning rate of its own, the best
# of a few. A few hundred updates say who learns *fast*; who is ahead after a day, they
# do not say. (The seconds say nothing: other programs ran.)
#
# ## Off its noise level
# The network learned σ = 25, and only that. What will it do with less noise, σ = 10,
# and with more, σ = 50? Guess: too smooth, or still noisy?
# %% tags=["guess"]
LEVELS = (5, 10, 15, 25, 35, 50)
print("gain over the noisy image, at three levels:")
at = {sigma: held_out(with_noise(sigma), grey=True, side=SIDE) for sigma in LEVELS}


def over_levels(restore: Callable[..., Tensor]) -> list[float]:
    """Mean PSNR at each level."""
    return [mean_scores(score(restore, at[sigma]))["psnr"] for sigma in LEVELS]


curves = {"the noisy image": over_levels(lambda y: y), "learned 25": over_levels(model)}
gains = dict(
    zip(LEVELS, [b - a for a, b in zip(*curves.values(), strict=True)], strict=True)
)
for sigma in (10, 25, 50):
    measured(f"  σ = {sigma}: gain", gains[sigma], "dB")
claim("gain at 25 − gain at 50", gains[25] - gains[50], at_least=3, unit="dB")
# %%
pairs = {sigma: at[sigma].examples["camera"][0] for sigma in (10, 25, 50)}
with torch.no_grad():
    outputs = {sigma: model(y) for sigma, y in pairs.items()}
image_grid(
    [close(image) for image in (*pairs.values(), *outputs.values())],
    [*(f"σ = {sigma}" for sigma in pairs), *["restored"] * 3],
    columns=6,
    alt="Noise of 10, 25 and 50, and restored: at 50 much noise is left.",
)
# %% [markdown]
# Below its level it takes off what it was taught to take off, and fine detail with it.
# Above its level it fails at once: values that large never came, and it leaves them.
#
# There are two ways out. **DnCNN-B** is *blind*: 20 layers, trained on all σ from 0 to
# 55, it must find out by itself. The other way is to *tell* the network.
#
# ## FFDNet: tell it the level, and see more
# FFDNet (Zhang, Zuo and Zhang, 2017) changes two things. It takes σ as an input: a
# **noise map**, one more channel that holds σ/255 at every place. And it works on
# **sub-images**: of each 2×2 pixels one goes into each of four half-size images. All
# pixels are kept. `pixel_unshuffle` does it:
# %%
small = torch.arange(16.0).view(1, 1, 4, 4)
print(small[0, 0].int())
print(F.pixel_unshuffle(small, 2)[0].int())  # (4, 2, 2)
# %% [markdown]
# A 3×3 kernel on sub-images sees 6×6 pixels, and there are a quarter as many places to
# compute. So for the same work the network sees twice as far. It is *not* residual: it
# gives out the four sub-images, clean.
#
# **Exercise 4** (6 minutes). Write its input.
# %% exercise="restoration.with_noise_map"
# %%
parts = with_noise_map(noisy["coffee"], torch.tensor([25.0]))  # (1, 5, 96, 96)
image_grid(
    list(parts[0, :, None, 24:72, 24:72].clamp(0, 1)),  # their middles
    ["sub-image 1", "2", "3", "4", "σ / 255"],
    columns=5,
    alt="Four small noisy copies of a part of a photograph, and a flat dark map.",
)
# %% [markdown]
# **By hand** (8 minutes):
# %% exercise="dncnn.sizes"
# %% [markdown]
# Train a small one, on all levels up to 55. It has twice the channels of our DnCNN, at
# a quarter of the places: about as many multiplications. One thing is not FFDNet's: it
# predicts the noise. A minute is too short for the paper's form;
# `train("dncnn_photos", variant="told_direct")` shows that.
# %%
told = train("dncnn_photos", variant="told", progress=False).model
y = noisy["coffee"]
inner = told.model(with_noise_map(y, torch.tensor([25.0])))  # (1, 4, 96, 96)
mine = y - F.pixel_shuffle(inner, 2)  # (1, 1, 192, 192)
print("with your input, the same:", torch.allclose(mine, told(y, 25), atol=1e-5))
# %%
curves["told"] = [
    mean_scores(score(lambda y, s=sigma: told(y, s), at[sigma]))["psnr"]
    for sigma in LEVELS
]
fig, axes = figure(height=3.4)
for (name, values), colour in zip(
    curves.items(), ("black", "vermilion", "blue"), strict=True
):
    axes.plot(LEVELS, values, marker="o", label=name, color=COLOURS[colour])
axes.set(xlabel="noise level σ", ylabel="PSNR (dB)")
axes.legend()
alt = "PSNR over the level: learned 25 falls fast above 25, told falls slowly."
show(fig, alt=alt)
last = curves["told"][-1] - curves["learned 25"][-1]
claim("σ = 50: told − learned 25", last, at_least=3, unit="dB")
first = curves["told"][LEVELS.index(10)] - curves["learned 25"][LEVELS.index(10)]
claim("σ = 10: told − learned 25", first, at_least=0.5, unit="dB")
at_25 = LEVELS.index(25)
between = curves["told"][at_25] - curves["learned 25"][at_25]
measured("σ = 25: told − learned 25", between, "dB")
# %% [markdown]
# And blind? From the record: one network for σ = 25, one that must find out the level,
# and one that is told it, each scored at three levels.
# %%
if study is not None:
    forms = {"learned 25": "residual", "blind": "blind", "told": "told"}
    fields = ("psnr_10", "psnr", "psnr_50")
    rows = [
        [label, *(f"{study.field(f'{name}.{field}'):.2f}" for field in fields)]
        for label, name in forms.items()
    ]
    headers = ["PSNR (dB)", "σ = 10", "σ = 25", "σ = 50"]
    show_table(rows, headers, "Means over seeds, from the record")
# %% [markdown]
# At σ = 25 the blind network reaches {record:dncnn_photos.study.blind.psnr:.2f} dB in
# place of {record:dncnn_photos.study.residual.psnr:.2f}: the same few updates had to do
# for all levels. On both sides it gains far more than that. In the paper, after a long
# training, the price at σ = 25 is 0.07 dB (table further down). The network that is
# told is ahead of the blind one at all three levels. How much of that is the map, and
# how much the wider view of the sub-images, or its parameters, this table cannot say.
#
# ### What if you lie?
# Who tells the network σ may be wrong. Tell it 10, 25 and 50, about noise of 25.
# %%
with torch.no_grad():
    lies = {sigma: told(noisy["camera"], sigma) for sigma in (10, 25, 50)}
image_grid(
    [close(image) for image in (noisy["camera"], *lies.values(), clean["camera"])],
    ["noisy", *(f"told {sigma}" for sigma in lies), "truth"],
    columns=5,
    alt="Told 10 noise is left; told 25 it looks right; told 50 it is too smooth.",
)
for sigma, image in lies.items():
    measured(f"told {sigma}", psnr(image, clean["camera"]).item(), "dB")
# %% [markdown]
# Too low leaves noise, too high takes detail. In practice that is a knob, and photo
# programs have it. And the map need not be flat: noise differs from place to place, in
# the corners of a lens, or in an MR image (lesson 55). Here it grows from left to
# right, 5 to 50:
# %%
sloping = torch.linspace(5, 50, SIDE).expand(1, 1, SIDE, SIDE)
y = gaussian_noise(clean["camera"], sloping, generator=0)
with torch.no_grad():
    answers = {
        "noisy": y,
        "DnCNN for 25": model(y),
        "told 25": told(y, 25),
        "told the map": told(y, sloping),
    }
image_grid(
    [image[0, :, ::2, ::2].clamp(0, 1) for image in answers.values()],
    list(answers),
    columns=4,
    alt="Noise that grows to the right; only with the map it is gone everywhere.",
)
found = {name: psnr(image, clean["camera"]).item() for name, image in answers.items()}
for name, value in found.items():
    measured(f"{name:12}", value, "dB")
claim(
    "map − one level", found["told the map"] - found["told 25"], at_least=0.3, unit="dB"
)
# %% [markdown]
# ## Three tasks, one network
# DnCNN-3 takes the idea further. If the network predicts *what is wrong* with an image,
# why only noise? A photograph made small and enlarged again lacks its finest detail. A
# JPEG file has blocks. Each is $y = x + \text{something}$.
# %%
from crashcourse.restoration import bicubic_resize, degrade_bi, jpeg

spoilt = {
    "noise, σ = 25": noisy["coins"],
    "enlarged ×3": bicubic_resize(degrade_bi(clean["coins"], 3), 3),
    "JPEG, quality 10": jpeg(clean["coins"], 10),
}
residuals = [image - clean["coins"] for image in spoilt.values()]
image_grid(
    [close(image) for image in spoilt.values()]
    + [close(0.5 + 2 * residual) for residual in residuals],
    [*spoilt, *["what is wrong"] * 3],
    columns=3,
    alt="Coins noisy, enlarged, and as JPEG; below what is wrong with them.",
)
# %% [markdown]
# Only the first does not know the photograph. The other two are made *of* it: its
# edges, its texture, on a grid of 8×8. One network of 20 layers learned all three, with
# every strength, and came close to specialists: 37.58, 33.75 and 31.40 dB on Set5 at
# ×2, ×3 and ×4, and 29.19 dB on LIVE1 at quality 10 (the authors' README). Set5 are
# five images, LIVE1 are 29 photographs. From the same place, for noise, on grey BSD68,
# 68 photographs of Berkeley's segmentation data. TNRD (Chen and Pock, 2015) is an
# earlier learned method: a few steps of diffusion, with trained filters.
# %%
rows = [
    ["BM3D", "31.07", "28.57", "25.62"],
    ["TNRD", "31.42", "28.92", "25.97"],
    ["DnCNN-S", "31.73", "29.23", "26.23"],
    ["DnCNN-B, blind", "31.61", "29.16", "26.23"],
    ["DnCNN-3", "31.46", "29.02", "26.10"],
]
show_table(
    rows, ["PSNR, dB", "σ = 15", "25", "50"], "BSD68 grey, published by the authors"
)
# %% [markdown]
# Blind costs a tenth of a decibel or nothing, three tasks one to three tenths. All
# three networks are ahead of BM3D, by 0.4 to 0.7 dB: that was news in 2016.
#
# ## The published tables
# Zhang et al. (RNAN, 2019, lesson 54) set the field side by side, in grey and colour,
# on three sets: Kodak24 (24 photographs), BSD68 and Urban100 (100 of buildings). PSNR
# in dB, σ = 10, 30, 50 and 70:
# %%
published = """
Kodak24   BM3D    34.39  29.13  26.99  25.73    36.57  30.89  28.63  27.27
Kodak24   DnCNN   34.90  29.62  27.51  26.08    36.98  31.39  29.16  27.64
Kodak24   FFDNet  34.81  29.70  27.63  26.34    36.81  31.39  29.10  27.68
Kodak24   RNAN    35.20  30.04  27.93  26.60    37.24  31.86  29.58  28.16
BSD68     BM3D    33.31  27.76  25.62  24.44    35.91  29.73  27.38  26.00
BSD68     DnCNN   33.88  28.36  26.23  24.90    36.31  30.40  28.01  26.56
BSD68     FFDNet  33.76  28.39  26.29  25.04    36.14  30.31  27.96  26.53
BSD68     RNAN    34.04  28.61  26.48  25.18    36.43  30.63  28.27  26.83
Urban100  BM3D    34.47  28.75  25.94  24.27    36.00  30.36  27.94  26.31
Urban100  DnCNN   34.73  28.88  26.28  24.36    36.21  30.28  28.16  26.17
Urban100  FFDNet  34.45  29.03  26.52  24.86    35.77  30.53  28.05  26.39
Urban100  RNAN    35.52  30.20  27.65  25.89    36.59  31.50  29.08  27.45
"""
rows = [line.split() for line in published.strip().splitlines()]
levels = ("10", "30", "50", "70")
headers = [
    "set",
    "method",
    *(f"grey {n}" for n in levels),
    *(f"colour {n}" for n in levels),
]
show_table(rows, headers, "PSNR (dB) by σ, as published by Zhang et al., 2019")
# %% [markdown]
# (In colour BM3D is its colour form, CBM3D.) Look at Urban100, colour, σ = 30: CBM3D is
# *ahead* of DnCNN. Those are facades, and windows repeat. It is our bricks again.
# Looking far helps there, and RNAN, with attention over the whole image, gains most
# there. Look also at σ = 70: FFDNet is ahead of DnCNN on all three sets in grey.
#
# *Read such tables with care.* For CBM3D on Kodak24 at σ = 50 this one says 28.63, that
# of FFDNet's paper 28.46. A likely reason: noisy files of 8 bits, in which the noise is
# clipped, against noise that is not. (In grey the two agree where they overlap: 25.62
# and 26.23 on BSD68 at σ = 50, above and here.)
#
# ## Full scale
# DnCNN-S whole: 17 layers, 64 channels, batches of 128 patches of 40×40, 1,600 batches
# an epoch, 50 epochs, as in the paper; on our 19 photographs, scored on whole held-out
# ones. With a GPU this cell runs it; elsewhere it shows the record, if there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("dncnn_photos")
# %% [markdown]
# ### Without a GPU
# An evening does, too: the same 17 layers and 64 channels, a twenty-fifth of the
# patches, 12,800 updates on one core. Its convolutions ran in bfloat16 (lesson 18):
# numbers of 8 bits are too coarse for an image, but not for noise that is then taken
# off in float32. The weights came with the course:
# %%
show_record("dncnn_evening", "gpu")
# %%
from crashcourse.places import records_dir
from crashcourse.recipes import load_weights

evening = dncnn_s()
load_weights(evening, records_dir() / "dncnn_evening.gpu.safetensors")
found = mean_scores(score(evening.eval(), test))["psnr"]
bm3d = load_record("yardsticks_photos", "study").field("bm3d.psnr")
claim("PSNR with its weights, σ = 25", found, at_least=30.3)
claim("ahead of BM3D, same squares and noise", found - bm3d, at_least=0.3, unit="dB")
# %%
with torch.no_grad():
    pictures = [noisy["camera"], model(noisy["camera"]), evening(noisy["camera"])]
image_grid(
    [close(image) for image in (*pictures, clean["camera"])],
    ["noisy", "your minute", "an evening", "truth"],
    columns=4,
    alt="A man at a camera: noisy, after a minute and an evening of training, clean.",
)
# %% [markdown]
# So a network of 2016, 19 photographs and two hours of one core pass what was best
# before. In the paper DnCNN-S is 0.66 dB ahead of BM3D at σ = 25, on other photographs,
# with 25 times as many patches of 400 images. At σ = 50, which it never saw, it is as
# lost as your small one: {record:dncnn_evening.gpu.residual.psnr_50:.1f} dB, where
# BM3D, which is told, has {record:yardsticks_photos.study.bm3d.psnr_50:.1f}.
# %% [markdown]
# ## What changed since
# IRCNN (Zhang et al., 2017) put 25 such denoisers, one for each level, *inside* an
# optimisation, and deblurs with them. DRUNet (Zhang et al., 2020) is FFDNet's map with
# a U-Net. Noise2Noise (Lehtinen et al., 2018) needs no clean image: the mean of many
# noisy ones is clean, and a squared error asks for a mean. Transformers lead the tables
# now: SwinIR (Liang et al., 2021) and Restormer (Zamir et al., 2021). And the network
# that predicts noise, told its level, has a second life: a **diffusion model** (Ho,
# Jain and Abbeel, 2020) is a denoiser, asked again and again, from noise alone.
#
# *References:* K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, "Beyond a Gaussian
# denoiser: residual learning of deep CNN for image denoising", 2016, arXiv 1608.03981,
# and the README of its code, github.com/cszn/DnCNN. K. Zhang, W. Zuo, L. Zhang,
# "FFDNet: toward a fast and flexible solution for CNN-based image denoising", 2017,
# arXiv 1710.04026. Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, "Image quality
# assessment: from error visibility to structural similarity", 2004. A. Buades, B. Coll,
# J.-M. Morel, "A non-local algorithm for image denoising", 2005. K. Dabov, A. Foi, V.
# Katkovnik, K. Egiazarian, "Image denoising by sparse 3-D transform-domain
# collaborative filtering", 2007. Y. Chen, T. Pock, "Trainable nonlinear reaction
# diffusion" (TNRD), 2015, arXiv 1508.02848. Y. Zhang, K. Li, K. Li, B. Zhong, Y. Fu,
# "Residual non-local attention networks for image restoration" (RNAN), 2019, arXiv
# 1903.10082. K. Zhang et al., "Learning deep CNN denoiser prior for image restoration"
# (IRCNN), 2017, arXiv 1704.03264. K. Zhang et al., "Plug-and-play image restoration
# with deep denoiser prior" (DRUNet), 2020, arXiv 2008.13751. J. Lehtinen et al.,
# "Noise2Noise", 2018, arXiv 1803.04189. J. Liang et al., "SwinIR", 2021, arXiv
# 2108.10257. S. Zamir et al., "Restormer", 2021, arXiv 2111.09881. J. Ho, A. Jain, P.
# Abbeel, "Denoising diffusion probabilistic models", 2020, arXiv 2006.11239.
