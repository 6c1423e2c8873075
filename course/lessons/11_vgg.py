# ---
# jupyter:
#   crashcourse:
#     title: VGG
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 50
#     needs: [10]
#     about: [classification.vgg]
# ---
# %% [markdown]
# # Two 3×3 see as far as one 5×5
# AlexNet starts with 11×11 filters, ZFNet with 7×7. VGG (Simonyan and Zisserman,
# 2014) has nothing but 3×3, and more of them. In about 50 minutes you will know why
# that wins, build the network from one line of its table, find where its 138 million
# parameters hide, and train a small one on garments.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: how large should a filter be?
# A larger filter sees more of the picture. It also costs more: a filter bank of k×k
# from C channels to C channels has k²·C² weights. Lesson 10 counted them. For C =
# 256:
# %%
from crashcourse.classification.convolution import conv_parameters

for kernel in (3, 5, 7, 11):
    weights = conv_parameters(256, 256, kernel, bias=False)
    print(f"{kernel:2}×{kernel:<2} {weights:>9,} weights")
# %% [markdown]
# Can small filters see as far as large ones? Ask a network which pixels it looks at.
# We take **two** 3×3 convolutions whose weights are all one, and ask for the gradient
# of the centre of the output with respect to every input pixel. A pixel with gradient
# 0 has no influence. How large is the square that remains? Guess before you run the
# cell: its stored result is folded away.
# %% tags=["guess"]
ones = torch.ones(1, 1, 3, 3)
image = torch.zeros(1, 1, 9, 9, requires_grad=True)
seen = F.conv2d(F.conv2d(image, ones, padding=1), ones, padding=1)  # (1, 1, 9, 9)
seen[0, 0, 4, 4].backward()  # the output's centre
print("gradient of every input pixel:")
print(image.grad[0, 0].int())
# %% [markdown]
# A 5×5 square. The second 3×3 filter looks at 3×3 places of the first, and each of
# those looks one pixel further in every direction. This square is the *receptive
# field*. The numbers count the paths from a pixel to the output: one from a corner,
# nine from the centre.
#
# **Your turn.** The receptive field along one side, in pixels, and how many weights a
# stack has, in units of C² (as many channels out as in, no biases). `receptive_field`
# and `conv_parameters` from lesson 10 may help.
# %%
from crashcourse.classification.convolution import receptive_field

receptive_field([(3, 1), (3, 1)])  # (kernel, stride) of each layer
# %% exercise="vgg.stacks"
# %% [markdown]
# ## The idea: stack small filters
# Two convolutions in a row, with nothing in between, *are* one convolution: its 5×5
# kernel is the full convolution of the two 3×3. (The other way round it fails: 18
# numbers cannot make every 5×5 kernel, which has 25. And with padding, the borders
# differ.) Take small whole numbers and compare.
# %%
generator = torch.Generator().manual_seed(0)
first = torch.randint(-2, 3, (1, 1, 3, 3), generator=generator).float()
second = torch.randint(-2, 3, (1, 1, 3, 3), generator=generator).float()
both = F.conv2d(
    first, second.flip(2, 3), padding=2
)  # (1, 1, 5, 5): one kernel for the two
print(both[0, 0].int())

picture = torch.randint(-9, 10, (1, 1, 12, 12), generator=generator).float()
print(
    "equal:",
    torch.equal(F.conv2d(F.conv2d(picture, first), second), F.conv2d(picture, both)),
)
# %% [markdown]
# So two linear layers are no more than one. VGG puts a ReLU after *each* of them, and
# that changes everything:
# %%
bent = F.conv2d(F.conv2d(picture, first).relu(), second)  # (1, 1, 8, 8)
straight = F.conv2d(picture, both)  # (1, 1, 8, 8)
print(f"{(bent != straight).sum()} of {bent.numel()} outputs differ")
# %% [markdown]
# The paper gives three reasons for the stack (section 2.3). It has **more bends**:
# two or three ReLUs instead of one. It has **fewer weights**: 18C² instead of 25C²,
# or 27C² instead of 49C². And it is a **prior**, a preference built in before any
# data is seen: a large filter must be made of small ones, with bends between them.
#
# ## The network as a table
# Everything in VGG follows from five rules.
#
# 1. Every convolution is 3×3, stride 1, padding 1: it keeps the size of the maps.
#    (One experiment, configuration C, has 1×1 as well.)
# 2. A ReLU follows each.
# 3. Only max-pooling, 2×2, stride 2, shrinks the maps: 224, 112, 56, 28, 14, 7.
# 4. When the maps halve, the channels double: 64, 128, 256, 512. They stop at 512.
# 5. Three dense layers end it: 4096, 4096, and one output per class.
#
# What is left to choose is how many convolutions stand before each pooling. The
# package holds the paper's Table 1: for each configuration the kernel sizes, stage by
# stage.
# %%
from crashcourse.classification.vgg import CHANNELS, CONFIGURATIONS

print("channels", CHANNELS)
for letter, stages in CONFIGURATIONS.items():
    convolutions = sum(len(kernels) for kernels in stages)
    print(letter, convolutions + 3, "layers with weights:", stages)
# %% [markdown]
# **Build it.** Write the function that turns a line of this table into layers. It
# gets the kernel sizes of every stage and the channels of every stage, and returns
# one flat `nn.Sequential`: convolution, (BatchNorm,) ReLU, ..., max-pool,
# convolution, ... Two hints that save you time: the input of a layer has as many
# channels as the output of the one before, and a k×k convolution keeps the size with
# padding k // 2.
# %% exercise="classification.vgg_features"
# %% [markdown]
# `vgg_features` now builds all of them. Try it on the smallest, configuration A, one
# stage more at a time, with a small image:
# %%
blank = torch.zeros(1, 3, 64, 64)
for stages in range(1, 6):
    features = vgg_features(CONFIGURATIONS["A"][:stages], CHANNELS[:stages])
    print(tuple(features(blank).shape))  # (N, C, H, W): channels double, sizes halve
# %% [markdown]
# ## The reference
# This is the package's whole network. It has torchvision's parameter names, so
# weights of the field load into it.
# %%
from crashcourse.classification.vgg import VGG, vgg11, vgg16
from crashcourse.figures import network_diagram, show_source

show_source(VGG)
# %% [markdown]
# Is it right? Take torchvision's own VGG-11, an independent implementation, copy its
# weights into ours, and compare the outputs on real photographs.
# %%
import torchvision.models

from crashcourse.datasets import photos

theirs = torchvision.models.vgg11().eval()
with torch.device("meta"):  # shapes without numbers: the weights come from theirs
    ours = vgg11().eval()
ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
with torch.no_grad():
    crops = (
        torch.stack([photo.image[:, :96, :96] for photo in photos("train")[:4]]) / 255
    )  # (4, 3, 96, 96)
    print(
        "largest difference below 1e-5:",
        bool((ours(crops) - theirs(crops)).abs().max() < 1e-5),
    )
del ours, theirs  # half a gigabyte, shared by both
# %% [markdown]
# Now the one that everybody means by "VGG": configuration D, VGG-16, with 13
# convolutions and 3 dense layers. Where are most of its parameters? Guess first.
# %% exercise="vgg.where_parameters"
# %% [markdown]
# **Predict the cost.** Shapes are (C, H, W), for one 224×224 colour image. Parameters
# count weights and biases; MACs (multiply-adds) the weights alone, once for every pixel
# that comes out. You can compute each from the five rules, with `conv_parameters` or
# with a pencil. The layers of a stage are called conv3_1, conv3_2, ...
# %% exercise="vgg.shapes"
# %% [markdown]
# Here is the whole network, drawn from the live module. A box is as high as the maps
# of that layer and as wide as they are many (by square roots, so that small ones stay
# visible). The grey bars are shares of all parameters and of all MACs. `features.10`
# is conv3_1: the names count ReLUs and poolings, too.
# %%
with torch.device("meta"):  # shapes alone: nothing is allocated
    network = vgg16()
network_diagram(network, (3, 224, 224), title="VGG-16 (configuration D)")
# %% [markdown]
# Read the two columns on the right against each other. The **parameters** are at the
# bottom: the three dense layers hold 124 of 138 million, and the first of them alone
# holds 103. The **MACs** (multiply-adds, the work for one image) are in the
# convolutions: 15.3 of 15.5 billion. Weights that are used at every pixel are few and
# busy; those of a dense layer are many and used once. GoogLeNet, the next lesson,
# drops the dense layers.
#
# **Count them all, without building it.** Write a function that takes a line of the
# table and returns the number of parameters of the whole network. The dense part is
# where you will look twice.
# %% exercise="classification.vgg_parameters"
# %%
for letter in "ABDE":
    print(letter, f"{vgg_parameters(CONFIGURATIONS[letter], CHANNELS):,}")
# %% [markdown]
# These are the published networks to the last parameter: torchvision's VGG-11, 13, 16
# and 19 have 132,863,336, 133,047,848, 138,357,544 and 143,667,240. The paper's Table
# 2 rounds them to 133, 133, 138 and 144 million.
#
# **With and without BatchNorm.** You will often meet these networks with batch
# normalization after every convolution (Ioffe and Szegedy, 2015). It gives each channel
# two parameters, a scale and a shift. Guess first: how much does that add to 138
# million?
# %% tags=["guess"]
from crashcourse.classification import MODELS
from crashcourse.figures import show_table
from crashcourse.inspection import count_macs, count_parameters

rows = []
for depth in (11, 13, 16, 19):
    with torch.device("meta"):
        plain, normed = MODELS[f"vgg{depth}"](), MODELS[f"vgg{depth}_bn"]()
    counts = count_parameters(plain), count_parameters(normed)
    macs = count_macs(plain, (3, 224, 224))
    rows.append([f"VGG-{depth}", *counts, counts[1] - counts[0], macs])
headers = ["network", "parameters", "with BatchNorm", "more", "MACs"]
print("parameters and multiply-adds, without and with BatchNorm:")
show_table(rows, headers, "The four networks, for one image of 224×224")
# %% [markdown]
# Next to nothing: VGG-16 has 4,224 channels in its 13 convolutions, so 8,448 more
# parameters. (MACs count convolutions and dense layers only, so they are the same.)
#
# ## What depth bought
# Classification errors on the ImageNet validation set at one test scale, in per cent
# (Simonyan and Zisserman, 2014, Table 3; trained and tested with the smaller side at
# 256 pixels).
#
# | configuration | layers | what is new | top-1 | top-5 |
# |---|---|---|---|---|
# | A | 11 | | 29.6 | 10.4 |
# | B | 13 | two more 3×3 | 28.7 | 9.9 |
# | C | 16 | three more 1×1 | 28.1 | 9.4 |
# | D | 16 | 3×3 in place of the 1×1 | 27.0 | 8.8 |
# | E | 19 | three more 3×3 | 27.3 | 9.0 |
#
# With several networks and crops averaged, the team entered ILSVRC-2014 at 7.3 %
# top-5; the winner of the year before, Clarifai, had 11.7 %. The authors also trained
# a net like B with one 5×5 in place of each pair of 3×3: its top-1 error was 7 points
# higher.
#
# These are single runs, so read small differences with care: E is no better than D
# here. C and D have the same depth. Compare them in the table of configurations
# above, then answer.
# %% exercise="vgg.why_not_1x1"
# %% [markdown]
# ## The run: a small VGG on garments
# Same rules, smaller: maps of 28, 14, 7 and 3, channels 16, 32, 64, and BatchNorm
# after every convolution. BatchNorm came a year after VGG; without it, deep plain
# stacks hardly start to learn (the authors started theirs from the trained A).
# %%
from crashcourse.classification.vgg import small_vgg

network_diagram(small_vgg(), (1, 28, 28), title="The small VGG of this lesson")
# %% [markdown]
# A *recipe* names a model, its data, its loss and its budget. `laptop` is the scale
# that runs here: four epochs over the 10,000 embedded garments, 64 at a time.
# (Training accuracy is averaged while the network learns, so the accuracy on unseen
# garments can lie above it.)
# %%
from crashcourse.recipes import train

run = train("vgg_garments")
# %%
from crashcourse.claims import claim
from crashcourse.figures import learning_curves

claim("accuracy on unseen garments", run.metrics["accuracy"], at_least=0.86)
learning_curves({"small VGG": run.history})
# %% [markdown]
# ## What it learned
# The first layer has 16 filters of 3×3. They are too small to show objects: you see
# edges, spots and slopes. What they make of one boot shows more: some maps light up
# on the background and cut the boot out, some on its outline, some on its material.
# The bright frame is the padding: outside the picture stands a zero, which is not the
# black of the background.
# %%
from crashcourse.datasets import garments
from crashcourse.figures import feature_maps, filters, image_grid

filters(run.model.features[0])
# %%
held_out = garments("test")
boots = held_out.labels == held_out.classes.index("Ankle boot")
titles = ["goes in", *[""] * 7]
image_grid(held_out.images[boots][:8], titles, alt="Eight boots; the first goes in.")
# %%
boot = held_out.normalised()[boots][:1]  # (1, 1, 28, 28)
with torch.no_grad():
    maps = run.model.features[:3](boot)  # (1, 16, 28, 28): convolution, BatchNorm, ReLU
feature_maps(maps)
# %% [markdown]
# And what it still gets wrong, worst first:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = run.model(held_out.normalised())  # (2000, 10)
worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown]
# ## Is it the small filters?
# One run proves nothing about a difference: another seed, and the order may turn. So
# the course keeps *studies*: the same budget, several seeds, recorded by the run
# itself. This one trains four variants of the small VGG,
# {record:vgg_garments.study.seeds} times each and for
# {record:vgg_garments.study.epochs} epochs: the one above (`bn`), the same without
# BatchNorm (`plain`, as in the paper), and two with the same channels and other
# filters: two 3×3 or one 5×5 in every stage. Which pair will differ? Guess before you
# run.
# %%
from crashcourse.recipes import load_record, show_record

show_record("vgg_garments", "study")
# %% tags=["guess"]
from crashcourse.figures import COLOURS, figure, show

study = load_record("vgg_garments", "study")
fig, axes = figure(height=2.6)
for place, name in enumerate(study.variants):
    finals = [100 * curve[-1] for curve in study.curves("test_accuracy", name)]
    axes.plot(
        finals,
        [place] * len(finals),
        "o",
        color=list(COLOURS.values())[place],
        alpha=0.7,
    )
axes.set_yticks(range(4), study.variants)
axes.invert_yaxis()
axes.set_xlabel("accuracy on unseen garments (%), a dot for each seed")
print("final accuracy of every seed:")
alt = "The dots of plain lie left of those of bn; two_3x3 and one_5x5 overlap."
show(fig, alt=alt)


# %%
def apart(better: str, worse: str) -> bool:
    """Whether the worst seed of one variant beats the best seed of the other."""
    return study.field(f"{better}.accuracy_min") > study.field(f"{worse}.accuracy_max")


print("BatchNorm beats none, in every seed:", apart("bn", "plain"))
print("two 3×3 beat one 5×5, in every seed:", apart("two_3x3", "one_5x5"))
# %% [markdown]
# BatchNorm helps: {record:vgg_garments.study.bn.accuracy:.1%} against
# {record:vgg_garments.study.plain.accuracy:.1%}, and the seeds do not overlap.
# Between the filters, these seeds resolve no difference in accuracy:
# {record:vgg_garments.study.two_3x3.accuracy:.1%} for two 3×3,
# {record:vgg_garments.study.one_5x5.accuracy:.1%} for one 5×5. In test loss the pair
# is a little better, {record:vgg_garments.study.two_3x3.loss:.3f} against
# {record:vgg_garments.study.one_5x5.loss:.3f}.
#
# Look at the parameters, too: here the pair has *more* of them. 18C² against 25C²
# holds between equal numbers of channels. Where a stage doubles C to 2C, the pair
# weighs 9·C·2C + 9·2C·2C = 54C², and one 5×5 weighs 25·C·2C = 50C². The saving comes
# with depth, where most convolutions keep their channels.
#
# In the paper, five pairs against five 5×5 made 7 points of top-1 error, on a
# thousand classes and a million photographs. A small study can show a large effect.
# It cannot show that there is none elsewhere.
# %% [markdown]
# ## Full scale
# The same recipe with all 60,000 garments, a wider network and more epochs. On a
# machine with a GPU this cell runs it; elsewhere it shows the record of the run, if
# there is one.
# %%
from crashcourse.recipes import gpu_cell

gpu_cell("vgg_garments")
# %% [markdown]
# ## What changed since
# BatchNorm (2015) made such stacks trainable from scratch. Global average pooling
# (next lesson) removed the dense layers and nine tenths of the parameters. Residual
# connections (lesson 13) made depths beyond 20 useful. What stayed is the pattern:
# 3×3, stages, halve the maps and double the channels. VGG's features live on in style
# transfer and perceptual losses (lessons 40 and 41).
#
# *References:* K. Simonyan, A. Zisserman, "Very deep convolutional networks for
# large-scale image recognition", 2014, arXiv 1409.1556. S. Ioffe, C. Szegedy, "Batch
# normalization", 2015, arXiv 1502.03167.
