# ---
# jupyter:
#   crashcourse:
#     title: GoogLeNet
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 60
#     needs: [10, 11]
#     about: [classification.googlenet]
# ---
# %% [markdown]
# # A 5×5 for a twelfth of its price
# VGG paid for its depth: 138 million parameters, and 15.5 billion multiply-adds
# (MACs) an image. GoogLeNet (Szegedy et al., 2014) beat it in the same year with 7
# million and 1.6 billion. In about 60 minutes you will build its module, see where
# the saving comes from, normalise as in 2012, train with two extra heads, and move
# lesson 10's shirt again.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution
from crashcourse.figures import show_table

# %% [markdown]
# ## The problem: which filter size is right?
# A face may fill the picture or a corner of it. Lesson 11 chose 3×3 for everything.
# Why choose? Let several sizes look at the same maps, **side by side**, and hand on
# what each of them finds. Four paths over one small tensor, all with padding so that
# the size stays:
# %%
torch.manual_seed(0)
maps = torch.randn(1, 8, 6, 6)  # (N, C, H, W)
with torch.no_grad():
    paths = [
        nn.Conv2d(8, 4, 1)(maps),  # (1, 4, 6, 6)
        nn.Conv2d(8, 6, 3, padding=1)(maps),  # (1, 6, 6, 6)
        nn.Conv2d(8, 2, 5, padding=2)(maps),  # (1, 2, 6, 6)
        F.max_pool2d(maps, 3, stride=1, padding=1),  # (1, 8, 6, 6)
    ]
together = torch.cat(paths, dim=1)
print([path.shape[1] for path in paths], "→", tuple(together.shape))
# %% [markdown]
# `torch.cat` puts the channels one after another: 4 + 6 + 2 + 8 = 20. Adding would
# not work, since the paths have different numbers of channels.
#
# Two things go wrong. The pool path hands on *all* channels that came in, so that
# every module is wider than the one before. And the 5×5 has 25 weights for each of
# them. Put four such modules in a row, each with 128 filters of 1×1, 192 of 3×3 and
# 96 of 5×5, on maps of 28×28 with 256 channels. How many MACs does the fourth one
# need? For comparison: all of VGG-16 needs 15,470 million. Guess before you run.
# %% tags=["guess"]
from crashcourse.classification.convolution import conv_macs, conv_parameters

filters = {1: 128, 3: 192, 5: 96}  # kernel → how many
channels, rows = 256, []
for place in range(1, 5):
    macs = sum(conv_macs(channels, count, k, 28) for k, count in filters.items())
    rows.append([place, channels, channels + sum(filters.values()), macs])
    channels += sum(filters.values())
headers = ["module", "channels in", "channels out", "MACs"]
print("the cost of each module in the row:")
show_table(rows, headers, "Naive modules in a row (figure 2a of the paper)")
# %% [markdown] slideshow={"slide_type": "subslide"}
# The cost grows with every module; the fourth alone costs a third of VGG-16.
# Something has to make the channels fewer.
#
# ## The idea: a 1×1 convolution mixes channels
# A 1×1 convolution looks at one pixel at a time. At that pixel it sees all channels,
# and every filter makes one weighted sum of them. That is a matrix product, the same
# at every pixel. Three channels, four pixels, two filters:
# %%
pixels = torch.arange(12.0).view(1, 3, 2, 2)  # (N, C, H, W)
mix = torch.tensor([[1.0, 0, 0], [0.5, 0.5, -1]])  # (2, 3): filters, channels
by_conv = F.conv2d(pixels, mix[:, :, None, None])  # (1, 2, 2, 2)
by_matrix = (mix @ pixels.flatten(2)).view(1, 2, 2, 2)
print(by_conv[0])
print("the same as a matrix product:", torch.equal(by_conv, by_matrix))
# %% [markdown]
# Three channels became two, and height and width stayed. So squeeze first, and let
# the 5×5 work on what is left. In the paper's first module, 3a, 192 channels come in,
# 16 are left, and the 5×5 makes 32 of them:
# %%
straight = conv_macs(192, 32, 5, 28)
reduction, after = conv_macs(192, 16, 1, 28), conv_macs(16, 32, 5, 28)
print(f"5×5 on 192 channels:         {straight:>11,} MACs")
print(f"1×1 to 16 channels:          {reduction:>11,} MACs")
print(f"5×5 on 16 channels:          {after:>11,} MACs")
print(f"with reduction, both: {straight / (reduction + after):.1f} times cheaper")
# %% [markdown]
# The 5×5 alone is twelve times cheaper; its reduction costs a little of that again.
# Counts are not times. Does the clock agree?
# %%
import time


def milliseconds(layer: nn.Module, maps: Tensor) -> float:
    times = []
    with torch.no_grad():
        for _ in range(5):
            start = time.perf_counter()
            layer(maps)
            times.append(time.perf_counter() - start)
    return 1000 * min(times)


maps = torch.randn(4, 192, 28, 28)
reduced = nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding=2))
whole = milliseconds(nn.Conv2d(192, 32, 5, padding=2), maps)
measured("straight", whole, "ms")
measured("with reduction", milliseconds(reduced, maps), "ms")
# %% [markdown] slideshow={"slide_type": "subslide"}
# ## The inception module
# Four paths, each with a 1×1 that keeps it cheap:
#
# | path | first | then |
# |---|---|---|
# | 1 | 1×1 | |
# | 2 | 1×1, "3×3 reduce" | 3×3 |
# | 3 | 1×1, "5×5 reduce" | 5×5 |
# | 4 | 3×3 max-pool, stride 1 | 1×1, "pool proj" |
#
# The reductions in paths 2 and 3 come *before* the large filters. In path 4 the 1×1
# comes *after* the pool: pooling is cheap, but its many channels must not get out. A
# ReLU follows every convolution, the reductions too. Here is a convolution with its
# ReLU, as the package has it; `batch_norm` is for later.
# %%
from crashcourse.classification.googlenet import INCEPTIONS, BasicConv2d
from crashcourse.figures import show_source

show_source(BasicConv2d)
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 1** (10 minutes). Build the module. `conv` is something like
# `BasicConv2d`: `conv(192, 64, 1)` makes a 1×1 from 192 to 64 channels, with padding
# and ReLU. `widths` has six numbers, in the order of the paper's table 1: for module
# 3a 64, 96, 128, 16, 32, 32. Layers may have any names. To compare, the check copies
# weights into them, in the order in which you make them: make the paths from 1 to 4.
# %% exercise="classification.inception" slideshow={"slide_type": "-"}
# %%
torch.manual_seed(0)
module = Inception(BasicConv2d, 192, INCEPTIONS["3a"])
with torch.no_grad():
    print(INCEPTIONS["3a"], "→", tuple(module(torch.randn(1, 192, 28, 28)).shape))
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 2** (10 minutes). What is in it? Fill in the table for module 3a.
# `conv_parameters(in, out, kernel)` and `conv_macs(in, out, kernel, side)` help.
# %% exercise="googlenet.module_3a" slideshow={"slide_type": "-"}
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 3** (3 minutes). A question about why.
# %% exercise="googlenet.why_reduce" slideshow={"slide_type": "-"}
# %% [markdown] slideshow={"slide_type": "slide"}
# ## Local response normalisation
# GoogLeNet is from 2014, a year before BatchNorm. Its first layers have what AlexNet
# had: where a channel's neighbours are strong at the same pixel, the channel is made
# weaker. For value $a_c$ of channel c,
#
# $$b_c = \frac{a_c}{\left(k + \alpha \sum_{j} a_j^2\right)^{\beta}}$$
#
# j runs over the n channels around c, itself included, as far as there are any. The
# constants are k = 2, n = 5 (`size`), α = 10⁻⁴ and β = 0.75 (Krizhevsky et al., 2012).
# Lesson 10 met a trap: PyTorch's layer divides α by n. So write it yourself.
#
# **Exercise 4** (8 minutes).
# %% exercise="classification.local_response_norm" slideshow={"slide_type": "-"}
# %% [markdown]
# Seven channels at one pixel, all 10 but one: channel 3 shouts. Who is made quieter?
# %% tags=["guess"]
calm = torch.full((1, 7, 1, 1), 10.0)
shout = calm.clone()
shout[0, 3] = 200.0
left = local_response_norm(shout) / shout  # what each value is multiplied by
left = left / (local_response_norm(calm) / calm)  # against its value among calm ones
print("share that is left, channel by channel:")
print([f"{share:.2f}" for share in left.flatten().tolist()])

corrected = nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2)
print(
    "equal to PyTorch's with 5α:",
    torch.allclose(corrected(shout), local_response_norm(shout)),
)
# %% [markdown]
# Channel 3 itself, and two channels on each side; 0 and 6 are out of reach. VGG's
# authors found that this did not help them, and BatchNorm replaced it a year later.
# %% [markdown] slideshow={"slide_type": "slide"}
# ## The whole network
# A stem of three convolutions, nine modules, a mean, one dense layer. This is table 1
# of the paper; `channels out` is what the four paths have together.
# %%
from crashcourse.classification.googlenet import channels_out

rows = [[name, *widths, channels_out(widths)] for name, widths in INCEPTIONS.items()]
headers = ["", "1×1", "3×3 red.", "3×3", "5×5 red.", "5×5", "proj.", "channels out"]
show_table(rows, headers, "The nine modules: output channels of their convolutions")
# %% [markdown] slideshow={"slide_type": "subslide"}
# Where are the parameters, and where is the work? Drawn from the live network, in the
# paper's form:
# %%
from crashcourse.classification.googlenet import googlenet
from crashcourse.figures import network_diagram

with torch.device("meta"):  # shapes alone: nothing is allocated
    paper = googlenet(paper=True)
title = "GoogLeNet as published in 2014"
network_diagram(paper, (3, 224, 224), by="child", title=title)
# %% [markdown]
# **22 layers** with weights from end to end: 3 in the stem, 2 in each of 9 modules, 1
# dense. The maps shrink by strides and pools, and never inside a module.
#
# How many parameters is it? You will read 5, 6, 6.6, 7 and 13 million. All five are
# counts of something:
# %%
from crashcourse.inspection import count_macs, count_parameters

with torch.device("meta"):
    no_heads = googlenet(paper=True, aux_heads=False)
    theirs_like = googlenet(aux_heads=False)  # torchvision's form
dense = count_parameters(no_heads.fc)
rows = [
    ["AlexNet's 60 million over 12, as the paper says", 60_000_000 // 12],
    ["convolutions of the paper's form", count_parameters(no_heads) - dense],
    ["torchvision's form", count_parameters(theirs_like)],
    ["paper's form: convolutions and dense layer", count_parameters(no_heads)],
    ["the same with both auxiliary heads", count_parameters(paper)],
]
show_table(rows, ["what is counted", "parameters"], "How large is GoogLeNet?")
print(f"MACs for one image: {count_macs(no_heads, (3, 224, 224)):,}")
# %% [markdown]
# When the paper says "12 times fewer than AlexNet", it rounds in its own favour:
# AlexNet's 61 million over 7.0 million is 8.7.
#
# ### The end: one mean for each map
# VGG's first dense layer had 103 million weights, because it had one for every pixel
# of the last maps. GoogLeNet takes the **mean of each map** first, *global average
# pooling* (Lin et al., 2014). What is left is one number a channel:
# %%
from crashcourse.classification.googlenet import small_googlenet

last = torch.randn(2, 1024, 7, 7)  # what module 5b gives
means = last.mean(dim=(2, 3))  # (2, 1024)
print(tuple(means.shape), "→ 1000 classes:", f"{1025 * 1000:,} parameters")
print(f"flattened instead:               {(1024 * 7 * 7 + 1) * 1000:,} parameters")
# %% [markdown]
# A mean does not know *where* something was. Move the maps (round the edge, so that
# nothing is lost), and the means stay as they are. That is what lesson 10 missed when
# its shirt moved:
# %%
moved = last.roll(shifts=(2, 3), dims=(2, 3))
same = torch.allclose(moved.mean(dim=(2, 3)), means, atol=1e-5)
print("means equal after moving the maps:", same)
print("maps equal:", torch.allclose(moved, last))
# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two helpers on the way
# In 2014, 22 layers were hard to train: the gradient of the loss has a long way to
# the first of them. So the authors put two small classifiers on the maps of 4a and
# 4d, and let them predict the class, too. Each is a 5×5 average pool with stride 3, a
# 1×1 to 128 channels, a dense layer of 1024, dropout, and the classes. Each adds its
# own loss, with a weight of 0.3. In a small network without BatchNorm (`aux` is short
# for auxiliary; the second head is listed first, as in torchvision):
# %%
torch.manual_seed(0)
helped = small_googlenet(aux_heads=True, batch_norm=False).train()
outputs = helped(torch.randn(64, 1, 28, 28))  # three sets of scores
for name, scores in outputs._asdict().items():
    print(f"{name:12} {tuple(scores.shape)}")
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 5** (5 minutes). Write the loss: the network's own cross-entropy, and
# `weight` times that of every auxiliary head.
# %% exercise="classification.loss_with_auxiliary_heads" slideshow={"slide_type": "-"}
# %% [markdown]
# How strong is the gradient that reaches the first convolution, without and with the
# heads' share? (One random start, random images; the numbers are an illustration.)
# %%
labels = torch.arange(64) % 10


def gradient_norm(weight: float) -> float:
    own, *auxiliary = outputs
    loss = loss_with_auxiliary_heads(own, auxiliary, labels, weight=weight)
    weights = helped.conv.conv.weight
    return torch.autograd.grad(loss, weights, retain_graph=True)[0].norm().item()


measured("gradient norm, own loss alone", gradient_norm(0.0))
measured("gradient norm, heads at 0.3 each", gradient_norm(0.3))
# %% [markdown]
# After training, the heads have done their work. In evaluation the network does not
# call them, and you may delete them:
# %%
with torch.no_grad():
    print(tuple(helped.eval()(torch.randn(64, 1, 28, 28)).shape))  # one tensor
# %% [markdown] slideshow={"slide_type": "slide"}
# ## The reference
# The package's network against torchvision's, an independent implementation: same
# weights, same photographs, same scores.
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs = torchvision.models.googlenet(init_weights=False).eval()
ours = googlenet().eval()
ours.load_state_dict(theirs.state_dict(), strict=True)
some = [photo.image[:, :96, :96] for photo in photos("train")[:4]]
crops = torch.stack(some) / 127.5 - 1  # (4, 3, 96, 96) in [-1, 1]
with torch.no_grad():
    difference = (ours(crops) - theirs(crops)).abs().max().item()
print("largest difference below 1e-5:", difference < 1e-5)
del ours, theirs
# %% [markdown]
# torchvision's form is not the paper's. It has BatchNorm and no response
# normalisation. And where the paper has 5×5, it has **3×3**: a slip, kept because the
# published weights have it. `googlenet(paper=True)` is the form of 2014. Its module
# is the one that you built:
# %%
from crashcourse.classification.googlenet import Inception as Reference

show_source(Reference)
# %% [markdown]
# ## The run: a small GoogLeNet on garments
# One convolution, two modules at 14×14, two at 7×7, the mean of each map. BatchNorm
# follows every convolution. These garments go in:
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid

held_out = garments("test")
names = [held_out.classes[label] for label in held_out.labels[:8].tolist()]
image_grid(held_out.images[:8], names, columns=8)
# %%
small = small_googlenet(width=8)
network_diagram(small, (1, 28, 28), by="child", title="The GoogLeNet of this lesson")
# %%
from crashcourse.recipes import evaluate_classifier, train

run = train("googlenet_garments")
# %%
from crashcourse.figures import learning_curves

claim("accuracy on unseen garments", run.metrics["accuracy"], at_least=0.8)
learning_curves({"small GoogLeNet": run.history})
# %% [markdown] slideshow={"slide_type": "subslide"}
# What do the four paths of the first module make of one boot? First row: the 1×1.
# Second and third: the 3×3. Last row: four maps of the 5×5, then four of the pool
# path.
# %%
from crashcourse.figures import feature_maps

place = held_out.labels.tolist().index(held_out.classes.index("Ankle boot"))
boot = held_out.normalised()[place : place + 1]  # (1, 1, 28, 28)
with torch.no_grad():
    maps = run.model.inception1(
        run.model.pool1(run.model.conv(boot))
    )  # (1, 32, 14, 14)
feature_maps(maps, columns=8)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And the shirt that moves?
# In lesson 10 it was lost at 4 pixels. Is it the mean that helps? Train the same
# network once more, same seed and budget, with another end: a hidden dense layer on
# all 7×7 pixels of the last maps. Nothing else changes.
# %%
dense_run = train("googlenet_garments", variant="dense")


def shifted_accuracy(network: nn.Module, pixels: int) -> float:
    moved = F.pad(held_out.images, (pixels, 0, 0, 0))[..., :28]  # to the right
    images = held_out.normalise(moved)  # (2000, 1, 28, 28)
    return evaluate_classifier(network, images, held_out.labels)["accuracy"]


# %% [markdown]
# Which end is better at 0 pixels, and which at 4? Guess both before you run.
# %% tags=["guess"]
print("accuracy on garments moved to the right:")
for pixels in (0, 2, 4, 6):
    ends = [shifted_accuracy(one.model, pixels) for one in (run, dense_run)]
    mean_end, dense_end = map(approximately, ends)
    print(f"{pixels} pixels to the right: mean {mean_end}, dense {dense_end}")
gain = shifted_accuracy(run.model, 4) - shifted_accuracy(dense_run.model, 4)
claim("gain of the mean at 4 pixels", gain, at_least=0.15)
# %% [markdown]
# As they are, the dense end is a little better: it knows *where* things stand in
# these pictures. Move them, and that knowledge is wrong. The mean never had it. It is
# not perfect either: two pools with stride 2, the zeros of the padding, and garments
# that leave the picture still tell where things are.
#
# Where does it still fail? Its worst errors:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = run.model(held_out.normalised())  # (2000, 10)
worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown] slideshow={"slide_type": "slide"}
# ## Do the mean and the heads help?
# A recorded study: {record:googlenet_garments.study.seeds} seeds of each variant,
# {record:googlenet_garments.study.epochs} epochs. With BatchNorm: the mean of each map
# (`average`) against a hidden dense layer on all pixels (`dense`). Without BatchNorm,
# as in 2014: no heads (`plain`) against two (`plain_aux`). Guess both winners.
# %% tags=["guess"]
from crashcourse.figures import COLOURS, figure, show
from crashcourse.recipes import load_record, show_record

show_record("googlenet_garments", "study")
study = load_record("googlenet_garments", "study")
fig, axes = figure(height=2.6)
for place, name in enumerate(study.variants):
    finals = [100 * curve[-1] for curve in study.curves("test_accuracy", name)]
    colour = list(COLOURS.values())[place]
    axes.plot(finals, [place] * len(finals), "o", color=colour, alpha=0.7)
axes.set_yticks(range(4), study.variants)
axes.set_ylim(3.4, -0.4)  # the first on top
axes.set_xlabel("accuracy on unseen garments (%), a dot for each seed")
alt = "The dots of dense lie right of average's; plain scatters left of plain_aux."
show(fig, alt=alt)
# %% [markdown]
# **The dense end wins here**: {record:googlenet_garments.study.dense.accuracy:.1%}
# against {record:googlenet_garments.study.average.accuracy:.1%}, in every seed, for 8.5
# times the parameters. That contradicts the paper, where the mean gained 0.6 points
# of top-1 (section 5). Both can be true. Garments stand in the middle of their
# picture, so that *where* tells much; in photographs, things stand anywhere. You saw
# above what the dense end's lead is worth once the garments move.
#
# **The heads**: {record:googlenet_garments.study.plain_aux.accuracy:.1%} against
# {record:googlenet_garments.study.plain.accuracy:.1%}. Most of this is one seed of
# three in which the network without heads fell behind
# ({record:googlenet_garments.study.plain.accuracy_min:.1%}); the best without heads is
# about as good as the worst with them. So they steadied the start; more, three seeds
# cannot show. The paper, too, calls their effect small, about 0.5 points.
# BatchNorm does more: {record:googlenet_garments.study.average.accuracy:.1%}.
# %% [markdown] slideshow={"slide_type": "slide"}
# ## Full scale
# The same recipe with all 60,000 garments, eight times the width and more epochs. On
# a machine with a GPU this cell runs it; elsewhere it shows the record of the run, if
# there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("googlenet_garments")
# %% [markdown]
# ## What it reached, and what changed since
# ILSVRC-2014, top-5 error (tables 2 and 3 of the paper; VGG: lesson 11):
#
# | | top-5 error |
# |---|---|
# | VGG's entry, several networks | 7.3 % |
# | one GoogLeNet, one crop | 10.07 % |
# | one GoogLeNet, 144 crops | 7.89 % |
# | seven GoogLeNets, 144 crops | **6.67 %** |
#
# Global average pooling and the 1×1 that squeezes channels are in nearly every
# network after it; ResNet's bottleneck (next lesson) is the second path with a 1×1
# that widens again. Response normalisation and auxiliary heads went when BatchNorm
# and shortcuts came. The hand-made mix of filter sizes went, too: the same block,
# repeated, is easier to scale.
#
# *References:* C. Szegedy et al., "Going deeper with convolutions", 2014, arXiv
# 1409.4842. M. Lin, Q. Chen, S. Yan, "Network in network", 2014, arXiv 1312.4400. A.
# Krizhevsky, I. Sutskever, G. Hinton, NIPS 2012. S. Ioffe, C. Szegedy, "Batch
# normalization", 2015, arXiv 1502.03167.
