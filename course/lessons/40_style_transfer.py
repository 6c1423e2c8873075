# ---
# jupyter:
#   crashcourse:
#     title: Style transfer
#     part: style
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 70
#     needs: [10, 11]
#     about:
#     - style.gatys
#     - style.encoder
#     - style.canvas
# ---
# %% [markdown]
# # What stays of a picture when its places are forgotten
# Take a photograph and a painting. Draw what is on the photograph, with the strokes and
# the colours of the painting. Nobody trains a network here: one that learned to *name*
# things already knows enough, and what is optimised is the picture. In about 70 minutes
# you will write the two losses that define content and style, see what each layer of a
# network keeps of either, and paint.
# %%
import torch
from torch import Tensor

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import COLOURS, figure, image_grid, show, show_table

# %% [markdown]
# ## The problem: strokes are no pixels
# A photograph, and a landscape that Zhao Yuan painted with ink in the 14th century.
# Two things that one could try at once: take the mean of the two pictures; or give the
# photograph the painting's colours, so that mean and spread of red, green and blue are
# the same.
# %%
from crashcourse.recipes.style import pair

photo, ink = pair(1, 128)  # (1, 3, 128, 128) each, float in [0, 1]
blended = (photo + ink) / 2
old, new = (image.mean((2, 3), keepdim=True) for image in (photo, ink))
scale = ink.std((2, 3), keepdim=True) / photo.std((2, 3), keepdim=True)
recoloured = ((photo - old) * scale + new).clamp(0, 1)
image_grid(
    torch.cat([photo, ink, blended, recoloured]),
    ["photograph", "painting", "mean of both", "colours moved"],
    columns=4,
    alt="A mountain photograph, an ink painting, their mean, the photograph in sepia.",
)
# %% [markdown]
# The mean shows both mountains and neither well. The third way gives a sepia
# photograph. Nowhere is there a *brush stroke*: a stroke is not a colour, it is the way
# in which neighbouring pixels go together. And "what is on it" is not pixels either:
# a drawing of a mountain shows it, and hardly a pixel is the same.
#
# Somebody must look at pictures who sees strokes and mountains.
#
# ## Who looks: a VGG
# A network that classifies sees edges first, then textures, then parts of things.
# Gatys, Ecker and Bethge (2015) took VGG-19 without its dense layers. We take VGG-16:
# its first eight convolutions, trained on ImageNet, travel with this course. Its
# pooling takes means in place of maxima, as in the paper, whose authors liked the
# pictures better for it.
# %%
from crashcourse.datasets import vgg16_weights
from crashcourse.style import Encoder, vgg16_encoder

encoder = vgg16_encoder(vgg16_weights())
maps = encoder(photo)  # layer -> (1, C, H, W), behind its ReLU
rows = [
    [name, "×".join(map(str, layer.weight.shape)), *maps[name].shape[1:]]
    for name, layer in encoder.convolutions.items()
]
headers = ["layer", "weights", "channels C", "rows", "columns"]
show_table(rows, headers, "What the encoder gives out for a 128×128 image")
# %% [markdown]
# conv3_1 is the first convolution of the third stage. A layer gives C maps, one for
# each filter. We write *F* for the maps of a layer, and call a pixel of a map a
# **place**. What do they look like? Four filters of two layers, bright where a filter
# answers:
# %%
tiles, titles = [], []
for name in ("conv1_1", "conv4_1"):
    strong = maps[name][0].mean((1, 2)).argsort(descending=True)[:4]
    for channel in strong.tolist():
        answers = maps[name][0, channel]  # (H, W)
        tiles.append(answers / answers.max())
        titles.append(f"{name}, {channel}")
alt = "Maps of early layers show fine edges; those of a deep one a few coarse places."
image_grid(tiles, titles, columns=4, alt=alt)
# %% [markdown]
# ## Content: the same maps
# Two pictures have the same content *for a layer* when they have the same maps there.
# If *F* are the maps of the picture that is being made, and *P* those of the
# photograph, the content loss of the layer is (equation 1 of the paper)
#
# $$L_\text{content} = \frac{1}{2} \sum_{\text{channels, places}} (F - P)^2$$
#
# With one channel and two places, by hand:
# %%
P = torch.tensor([0.0, 4.0])
now = torch.tensor([1.0, 2.0], requires_grad=True)
loss = 0.5 * ((1 - 0) ** 2 + (2 - 4) ** 2)
print("loss", loss)
(0.5 * (now - P).square().sum()).backward()
print("gradient", now.grad.tolist(), " F - P", (now - P).tolist())
# %% [markdown]
# The half makes the gradient simple: it is F − P.
#
# **Exercise 1** (4 minutes). Write it for maps of any shape.
# %% exercise="style.content_loss"
# %% [markdown]
# ### The picture is what learns
# Now turn the network around. Its weights stay. Start from white noise, ask for the
# maps of the photograph, and change the *pixels* until they fit. The gradient goes
# through the network as in training; it just goes one step further, to the image.
#
# The optimiser is **L-BFGS** (Liu and Nocedal, 1989). It remembers its last ten steps
# and how the gradient changed along them, guesses from that how the loss is curved, and
# then searches along a line for a good step. That is fit for a loss without chance in
# it: there are no batches here, only one picture of 12,288 values.
#
# Below, a `Canvas` holds the pixels, and `paint` takes ten steps of L-BFGS in each
# round, on the loss that it is given. A step needs one *look* or a few: once through
# the network and back. Against Adam, at the same number of looks:
# %%
from crashcourse.style import Canvas
from crashcourse.style.canvas import paint

astronaut, bouquet = pair(0, 64)  # (1, 3, 64, 64)
noise = torch.rand(astronaut.shape, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    wanted = encoder(astronaut, ["conv2_2"])["conv2_2"]  # (1, 128, 32, 32)
seen: list[float] = []


def look(image: Tensor) -> dict[str, Tensor]:
    """The content loss at conv2_2, by your function."""
    loss = content_loss(encoder(image, ["conv2_2"])["conv2_2"], wanted)
    seen.append(loss.item())
    return {"loss": loss}


paint(Canvas(noise), look, rounds=3, iterations=10)
by_lbfgs, seen = seen, []
pixels = noise.clone().requires_grad_()
adam = torch.optim.Adam([pixels], lr=0.05)
for _ in by_lbfgs:
    adam.zero_grad()
    look(pixels)["loss"].backward()
    adam.step()
# %%
fig, axes = figure(height=2.6)
for values, name, ink_name in ((by_lbfgs, "L-BFGS", "blue"), (seen, "Adam", "orange")):
    axes.plot(range(1, len(values) + 1), values, color=COLOURS[ink_name], label=name)
axes.set(xlabel="looks through the network", ylabel="content loss", yscale="log")
axes.legend()
show(fig, alt="The loss against looks: that of L-BFGS ends well below that of Adam.")
claim("Adam's last loss / that of L-BFGS", seen[-1] / by_lbfgs[-1], at_least=1.2)


# %% [markdown]
# L-BFGS starts timidly, since it knows nothing of the curvature yet, and then falls
# faster. (Each round looks again where the last one ended: hence the flat pieces.)
#
# ### Content from each depth
# What does a layer still know of the photograph? Ask each of four layers to paint it
# from noise. Which will lose the colours, which the outlines? Guess.
# %% tags=["guess"]
from crashcourse.recipes.style import edge_likeness
from crashcourse.style import reconstruct_content

depths = ("conv1_2", "conv2_2", "conv3_3", "conv4_1")
canvases = {
    name: reconstruct_content(astronaut, encoder, name, rounds=4) for name in depths
}
print("painted again from noise, from each layer:")
image_grid(
    torch.cat([astronaut, *(canvas.picture for canvas in canvases.values())]),
    ["photograph", *depths],
    columns=5,
    alt="A portrait and four copies: conv1_2's is close, deeper ones in wild colours.",
)
# %% [markdown]
# Credit: NASA (public domain). From the first stage the photograph comes back, but for
# a fine grain. Deeper, the exact colours go, and the drawing stays: the network was
# trained to name things in any light. But where does the noise come from, more of it
# from each layer? Nothing asks for it to go away: a deep layer hardly sees it. So *we*
# have to ask. **Total variation** adds up the squared differences of neighbouring
# pixels. By hand, for four pixels:
# %%
four = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
print("to the right:", 1**2 + 3**2, " below:", 2**2 + 4**2, " together:", 30)
# %% [markdown]
# **Exercise 2** (6 minutes). Write it for images of any size.
# %% exercise="style.total_variation"
# %% [markdown]
# The deepest layer again, now with 20 times the variation in its loss. The objective is
# put together from your two functions:
# %%
with torch.no_grad():
    deep = encoder(astronaut, ["conv4_1"])["conv4_1"]  # (1, 512, 8, 8)


def calm(image: Tensor) -> dict[str, Tensor]:
    """Content at conv4_1, and a price for roughness."""
    content = content_loss(encoder(image, ["conv4_1"])["conv4_1"], deep)
    return {"loss": content + 20 * total_variation(image), "content": content}


smooth = paint(Canvas(noise), calm, rounds=4)
rough = canvases["conv4_1"]
image_grid(
    torch.cat([rough.picture, smooth.picture]),
    ["content alone", "with variation"],
    columns=2,
    alt="Left a rough copy of the portrait in wild colours, right a smooth, faded one.",
)
for name, canvas in (("content alone ", rough), ("with variation", smooth)):
    measured(f"{name}: variation", total_variation(canvas.picture))
# %%
errors = [(canvases[name].picture - astronaut).abs().mean() for name in depths]
for name, error in zip(depths, errors, strict=True):
    measured(f"{name}: pixels are off by", error)
claim("conv4_1 is worse than conv1_2, times", errors[-1] / errors[0], at_least=2)
claim(
    "likeness of the edges, smooth picture",
    edge_likeness(smooth.picture, astronaut),
    at_least=0.2,
)
# %% [markdown]
# The **likeness of edges** is the correlation between the two pictures' edges. It asks
# no network and sees no colours: 1 is the same drawing, two unrelated pictures are near
# 0. This is what "content is in the high layers" means: pixels are far off, and the
# drawing is there.
#
# ## Style: what goes together
# Now the painting. Its strokes may lie *anywhere*. So a measure of style must not know
# places. What is left of the maps of a layer when places do not count? For each pair of
# channels, how often both answer at the same place:
#
# $$G_{ij} = \sum_\text{places} F_i \cdot F_j$$
#
# That is the **Gram matrix** (equation 3). Two channels, "dark" and "vertical edge",
# and four places:
# %%
dark = torch.tensor([1.0, 1, 0, 0])
vertical = torch.tensor([1.0, 1, 0, 0])  # edges are where it is dark
elsewhere = torch.tensor([0.0, 0, 1, 1])  # edges are where it is not
for edges in (vertical, elsewhere):
    pairs = {"dark·dark": dark * dark, "edge·edge": edges * edges}
    pairs["dark·edge"] = dark * edges
    print({name: products.sum().item() for name, products in pairs.items()})
# %% [markdown]
# Both have as much dark and as many edges. Only the pair says that in one picture the
# *edges are dark*: ink lines. With the channels as the rows of a matrix F of shape (C,
# places), all pairs at once are G = F Fᵀ.
#
# **Exercise 3** (6 minutes). Write it for a batch of maps.
# %% exercise="style.gram"
# %%
both = torch.stack([dark, vertical])[None, :, None]  # (1, 2, 1, 4)
print(gram(both)[0].tolist())
some = maps["conv3_1"].double()  # rounding shall not decide
first = gram(some)  # (1, 256, 256)
order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(0))
shuffled = some.flatten(2)[..., order].view_as(some)
print(tuple(first.shape), "places shuffled:", torch.allclose(first, gram(shuffled)))
# %% exercise="style.why_gram"
# %% [markdown]
# Note what is *not* in G: it is not divided by anything. The authors' later code
# divides it by the number of places, and other papers by more. The weights of the
# losses then mean something else, so look before you copy a number.
#
# What do Gram matrices look like? Those of conv2_1, for the photograph and the
# painting, with the 24 channels that answer most in the photograph:
# %%
with torch.no_grad():
    two = encoder(torch.cat([photo, ink]), ["conv2_1"])["conv2_1"]  # (2, 128, 64, 64)
    pairs = gram(two)  # (2, 128, 128)
kept = pairs[0].diag().argsort(descending=True)[:24]
fig, panels = figure(1, 2, height=3.1)
for axes, matrix, name in zip(panels, pairs, ("photograph", "painting"), strict=True):
    part = matrix[kept][:, kept]
    drawn = axes.imshow(
        part / pairs[:, kept][:, :, kept].max(), cmap="viridis", vmin=0, vmax=1
    )
    axes.set_title(name, size=11)
    axes.set(xlabel="channel", ylabel="channel", xticks=[], yticks=[])
fig.colorbar(drawn, ax=panels, label="part of the largest")
show(
    fig, alt="Two matrices of 24×24: the same channels go together in other strengths."
)
# %% [markdown]
# The diagonal is bright: nothing goes as well with a channel as itself. Beside it, the
# same pairs have other strengths. And one of the photograph's channels is all but
# silent in the painting: its row and its column are dark.
#
# ### The loss of a layer
# The style loss of one layer compares G with the painting's Gram matrix A (equation 4).
# C is the number of channels and M that of places:
#
# $$E = \frac{1}{4\,C^2 M^2} \sum_{i,j} (G_{ij} - A_{ij})^2$$
#
# **Exercise 4** (6 minutes). Write it, with your `gram`.
# %% exercise="style.layer_loss"
# %% [markdown]
# Its gradient can be written down (equation 6): (G − A) F / (C² M²), without a network.
# Does autograd find the same?
# %%
some = maps["conv3_1"].double().clone().requires_grad_()  # (1, 256, 32, 32)
target = gram(encoder(ink, ["conv3_1"])["conv3_1"]).double()
style_layer_loss(some, target).backward()
with torch.no_grad():
    C, M = some.shape[1], some[0, 0].numel()
    by_hand = (gram(some) - target) @ some.flatten(2) / (C**2 * M**2)  # (1, C, M)
print("the same:", torch.allclose(some.grad.flatten(2), by_hand))
# %% [markdown]
# **By hand** (8 minutes), for the paper's VGG-19:
# %% exercise="style.sizes"
# %% [markdown]
# ### Style from each depth
# Ask for the painting's Gram matrices and nothing else: first of conv1_1 alone, then of
# more and more layers. Total variation with a small weight keeps noise away. The sum is
# over your `style_layer_loss`, with equal weights (equation 5). What will a texture of
# this bouquet by van Gogh look like? Guess.
# %% tags=["guess"]
levels = ("conv1_1", "conv2_1", "conv3_1", "conv4_1")
with torch.no_grad():
    grams = {name: gram(one) for name, one in encoder(bouquet, levels).items()}


def texture(count: int) -> Canvas:
    """Paint from noise what has the first layers' Gram matrices."""
    names = levels[:count]

    def objective(image: Tensor) -> dict[str, Tensor]:
        now = encoder(image, names)
        style = sum(style_layer_loss(now[n], grams[n]) for n in names) / count
        return {"loss": 1e7 * style + 20 * total_variation(image), "style": style}

    return paint(Canvas(noise), objective, rounds=3)


textures = [texture(count) for count in (1, 2, 3, 4)]
print("painted from noise, with the style of more and more layers:")
image_grid(
    torch.cat([bouquet, *(canvas.picture for canvas in textures)]),
    ["painting", "conv1_1", "to conv2_1", "to conv3_1", "to conv4_1"],
    columns=5,
    alt="A painted bouquet, then textures in its colours, with ever larger strokes.",
)
last = textures[-1]
claim(
    "style loss fell, times",
    last.losses["style"][0] / last.losses["style"][-1],
    at_least=50,
)
claim(
    "likeness of the edges to the bouquet",
    edge_likeness(last.picture, bouquet),
    at_most=0.35,
)
# %% [markdown]
# conv1_1 knows colours and grain. Further layers see larger patches, and give larger
# strokes, up to whole blossoms. None of them is where van Gogh put it: the style fits,
# the drawing does not. conv4_1 hardly shows. Its weight is equal, its loss is not:
# %%
with torch.no_grad():
    now = encoder(noise, levels)
    each = {name: style_layer_loss(now[name], grams[name]) for name in levels}
measured(
    "conv4_1's part of the noise's style loss", each["conv4_1"] / sum(each.values())
)
# %% [markdown]
# ## Both at once
# The picture is to have the maps of the photograph in *one* deep layer and the Gram
# matrices of the painting in *all* of them (equation 7):
#
# $$L = \alpha \cdot L_\text{content} + \beta \cdot L_\text{style} + \gamma \cdot
# L_\text{variation}$$
#
# Content is taken at conv3_3 here, at conv4_2 in the paper, which has no γ. Only the
# ratios of the weights count, so α is 1. Why is β so large? The content's loss is a
# *sum* over channels and places, the style's a *mean* over pairs. So β has to grow with
# the image, too: here it is 10,000 for each pixel.
# %%
from crashcourse.figures import LivePicture
from crashcourse.style import transfer

settings = {"content_layer": "conv3_3", "style_layers": levels, "variation_weight": 150}
live = LivePicture("Painting")
canvas = transfer(
    photo,
    ink,
    encoder,
    rounds=5,
    style_weight=10_000 * 128 * 128,
    callback=lambda canvas: live.update(canvas.picture, canvas.rounds),
    **settings,
)
# %%
image_grid(
    torch.cat([photo, ink, canvas.picture]),
    ["photograph", "painting", "painted"],
    columns=3,
    alt="A mountain photograph, an ink painting, the mountain in its tones and lines.",
)
# %% [markdown]
# Photograph: Aitzol Berasategi, CC BY 4.0. Nobody drew these lines, and no stroke was
# copied. (In a live notebook you saw it come out of the noise. Had you stopped it, then
# `transfer(..., start=canvas)` would go on where it was, to the very same picture.)
# Both losses, at the start of each round of ten iterations:
# %%
fig, panels = figure(1, 2, height=2.6)
for axes, name in zip(panels, ("content", "style"), strict=True):
    axes.plot(
        range(1, canvas.rounds + 1), canvas.losses[name], "o-", color=COLOURS["blue"]
    )
    axes.set(title=name, xlabel="round", ylabel="loss", yscale="log")
    axes.set_xticks(range(1, canvas.rounds + 1))
show(fig, alt="Both losses fall, style at once and far, content slowly.")
fell = {name: values[0] / values[-1] for name, values in canvas.losses.items()}
claim("style fell, times", fell["style"], at_least=50)
claim("content fell, times", fell["content"], at_least=1.5)
claim(
    "likeness of the edges to the photograph",
    edge_likeness(canvas.picture, photo),
    at_least=0.3,
)
measured("likeness of the edges, painting alone", edge_likeness(ink, photo))


# %% [markdown]
# ## The weights are a knob
# How much photograph, how much painting? The bouquet on the portrait, for four values
# of β, each from the same noise. In a live notebook, move the slider (mouse, or Tab and
# the arrow keys). At which value is the face gone, and what is left then?
# %%
small = {**settings, "rounds": 3}
betas = {"1e4": 1e4, "1e6": 1e6, "1e7": 1e7, "1e9": 1e9}
knob = {
    name: transfer(astronaut, bouquet, encoder, style_weight=beta, **small)
    for name, beta in betas.items()
}
pictures = torch.cat([one.picture for one in knob.values()])  # (4, 3, 64, 64)
# %%
from crashcourse.figures import picture_slider

picture_slider(pictures, list(betas), knob="style weight", start=2)
# %%
fig, axes = figure(height=2.8)
content, style = (
    [one.losses[n][-1] for one in knob.values()] for n in ("content", "style")
)
axes.plot(style, content, "o-", color=COLOURS["blue"])
for x, y, name in zip(style, content, betas, strict=True):
    axes.annotate(
        f"β = {name}", (x, y), xytext=(6, 4), textcoords="offset points", size=10
    )
axes.set(xlabel="style loss", ylabel="content loss", xscale="log", yscale="log")
axes.margins(x=0.2, y=0.15)
show(
    fig,
    alt="A curve that falls: whoever has more of the style has less of the content.",
)
likeness = [edge_likeness(one, astronaut) for one in pictures.split(1)]
claim("likeness of edges, least β − most β", likeness[0] - likeness[-1], at_least=0.3)
# %% [markdown]
# At 1e9 the portrait is gone, and what is left is the texture from above. There is no
# right value. Each point of the curve is the best picture for somebody's taste, and no
# loss of this lesson says whose.
#
# ## What did training the network have to do with it?
# A Gram matrix can be had from *any* network. Here is the same VGG-16 with random
# weights, as it would start to be trained, on the mountain and the ink. Will the losses
# fall? Will the picture be good? Guess both.
# %% tags=["guess"]
from crashcourse.recipes import train

runs = {
    name: train("style_transfer", variant=name, seed=1, progress=False)
    for name in ("trained", "random")
}
print("painted with trained features, and with random ones:")
image_grid(
    torch.cat([run.model.picture.detach() for run in runs.values()]),
    ["trained features", "random features"],
    columns=2,
    alt="With trained features a mountain in ink; with random ones blotches of light.",
)
for name, run in runs.items():
    curve = run.history.curve("style")
    measured(f"{name}: its own style loss fell, times", curve[0] / curve[-1], digits=2)
# %% [markdown]
# The random network's loss falls by even more: *its* wishes are easily met. But meeting
# them means little. It has the colours, the brightness of large areas, a grain. To name
# a mountain one must learn what marks it, and that is what is copied here.
# %%
edges = {name: run.metrics["edges"] for name, run in runs.items()}
claim("likeness of the edges, trained", edges["trained"], at_least=0.4)
claim("trained − random", edges["trained"] - edges["random"], at_least=0.2)
# %% [markdown]
# One picture is one picture. The study has {record:style_transfer.study.seeds} pairs of
# photograph and painting, one for each seed, of
# {record:style_transfer.study.image_size} pixels a side, with
# {record:style_transfer.study.epochs} rounds in place of 5. `style` is the style loss
# of the result in parts of the photograph's own, judged by the trained features. That
# favours whoever was painted with them, so look at `edges`, which asks no network.
# %%
from crashcourse.recipes import load_record, show_record

show_record("style_transfer")
# %%
record = load_record("style_transfer", "study")
if record is not None:
    trained, random = (record.variants[name] for name in ("trained", "random"))
    wins = [
        one.metrics["edges"] > other.metrics["edges"]
        for one, other in zip(trained, random, strict=True)
    ]
    count = f"{sum(wins)} of {len(wins)} pairs"
    print(f"trained features kept more of the photograph's edges on {count}")
# %% [markdown]
# The authors' later code starts from the photograph itself. Likeness of edges then says
# little: the picture stops on its way *from* the photograph. From noise, all of the
# drawing had to come through conv3_3. (`train("style_transfer",
# variant="from_content")` tries it, and `max_pooling` another encoder.)
#
# ## Where it fails
# Two cuts from the pictures above, enlarged: the sky over the mountain, and the face in
# the portrait with β = 1e7. What is wrong with each?
# %%
face = (0, slice(None), slice(6, 34), slice(16, 44))
sky = (0, slice(None), slice(0, 48), slice(64, 112))
image_grid(
    [photo[sky], canvas.picture[sky], astronaut[face], knob["1e7"].picture[face]],
    ["sky: photograph", "painted", "face: photograph", "painted"],
    columns=4,
    alt="Rocks and grain in a plain sky; a face with smeared eyes and mouth.",
)
# %% [markdown]
# - **It does not know what matters.** Eyes and noses get as much care as a collar. A
#   person sees a smeared eye at once.
# - **Colours and strokes land anywhere.** A plain sky grows rocks and grain. A Gram
#   matrix is of the whole painting, and does not know that its sky is bare.
# - **Strokes have a size in pixels.** A network of 3×3 kernels sees a patch of fixed
#   size. In a photograph of 2,000 pixels, strokes would be hair. Reduce the painting or
#   paint coarse to fine.
# - **It is slow.** Each picture is an optimisation of its own. One can train a network
#   that paints in one pass.
#
# ## Full scale
# 512×512 pixels, 50 rounds. With a GPU this cell runs it; elsewhere it shows the
# record, if there is one. With a network, `Encoder(load_pretrained("vgg19").features)`
# is the paper's own, with content at conv4_2 and style up to conv5_1.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("style_transfer")
# %% [markdown]
# ## What changed since
# One pass in place of an optimisation came within a year (Johnson et al., 2016; Ulyanov
# et al., 2016), then any style in one network: match mean and variance of each channel
# (Huang and Belongie, 2017), the diagonal of the story told here. That matching Gram
# matrices means matching two distributions of features, with a kernel, was shown by Li
# et al. (2017). Today a diffusion model is asked for "a mountain in ink" in words. It
# gives finer pictures and less control: it paints *a* mountain. The two losses live on,
# as perceptual losses (Johnson et al.) and as measures of likeness (Zhang et al.,
# 2018).
#
# *References:* L. Gatys, A. Ecker, M. Bethge, "A neural algorithm of artistic style",
# 2015, arXiv 1508.06576; the same, "Image style transfer using convolutional neural
# networks", CVPR 2016. K. Simonyan, A. Zisserman, "Very deep convolutional networks",
# 2014, arXiv 1409.1556. D. Liu, J. Nocedal, "On the limited memory BFGS method for
# large scale optimization", 1989. A. Mahendran, A. Vedaldi, "Understanding deep image
# representations by inverting them", 2014, arXiv 1412.0035 (total variation). J.
# Johnson, A. Alahi, L. Fei-Fei, "Perceptual losses for real-time style transfer and
# super-resolution", 2016, arXiv 1603.08155. D. Ulyanov et al., "Texture networks",
# 2016, arXiv 1603.03417. X. Huang, S. Belongie, "Arbitrary style transfer in real-time
# with adaptive instance normalization", 2017, arXiv 1703.06868. Y. Li et al.,
# "Demystifying neural style transfer", 2017, arXiv 1701.01036. R. Zhang et al., "The
# unreasonable effectiveness of deep features as a perceptual metric", 2018, arXiv
# 1801.03924. Pictures: `data/README.md`.
