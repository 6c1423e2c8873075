# ---
# jupyter:
#   crashcourse:
#     title: Convolution, AlexNet and a look inside
#     part: classification
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 75
#     needs: [0]
#     about:
#       - classification.convolution
#       - classification.alexnet
#       - classification.zfnet
#       - classification.deconvnet
# ---
# %% [markdown]
# # Move the shirt by four pixels, and the network is lost
# In about 75 minutes you will build, by hand, the layer that helps most. You will fill
# in the table of AlexNet, the network that made everyone use this layer, write out a
# training loop, and look inside a trained network to see what its filters have found.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import approximately, claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: a dense layer learns every place anew
# Train the simplest network on garments: two dense layers, every pixel connected to
# every unit. `fit` is the loop of lesson 00; later in this lesson you will write it
# out. `classify` is the step of lesson 00, kept in the package.
# %%
from crashcourse.datasets import garments
from crashcourse.recipes import classify, evaluate_classifier
from crashcourse.training import Machine, fit

training, held_out = garments("train"), garments("test")
batches = training.batches(64, seed=0, drop_last=True)  # normalised pixels
cpu = Machine(device="cpu")  # networks this small gain nothing on a GPU

torch.manual_seed(0)
layers = [nn.Flatten(), nn.Linear(28 * 28, 128), nn.ReLU(), nn.Linear(128, 10)]
dense = nn.Sequential(*layers)
adam = torch.optim.Adam(dense.parameters(), lr=1e-3)
dense_run = fit(dense, batches, classify, epochs=8, optimizer=adam, machine=cpu)
# %% [markdown]
# Now move every unseen garment four pixels to the right. You would hardly notice:
# %%
from crashcourse.figures import before_after


def shifted(images: Tensor, pixels: int) -> Tensor:
    return F.pad(images, (pixels, 0, 0, 0))[..., :28]  # black enters from the left


some = held_out.images[:8]
before_after(some, shifted(some, 4), labels=("as they are", "shifted"))


# %% [markdown]
# Of the garments as they are, the network knows more than eight in ten. How many of
# the shifted ones? Guess, then run.
# %% tags=["guess"]
def accuracy(network: nn.Module, pixels: int) -> float:
    images = held_out.normalise(shifted(held_out.images, pixels))  # (2000, 1, 28, 28)
    return evaluate_classifier(network, images, held_out.labels)["accuracy"]


print("accuracy on unseen garments:")
claim("accuracy as they are", accuracy(dense, 0), at_least=0.80)
claim("accuracy 4 pixels to the right", accuracy(dense, 4), at_most=0.4)
# %% [markdown] slideshow={"slide_type": "subslide"}
# A dense layer has a weight of its own for every pixel. What it learned about a
# sleeve at column 5 says nothing about the same sleeve at column 9. It must see every
# sleeve at every place.
#
# It is also wasteful. Suppose a dense layer made AlexNet's first maps, 96 of 55×55,
# from a colour image of 227×227:
# %%
print(f"{3 * 227 * 227 * 96 * 55 * 55:,} weights")
# %% [markdown]
# 45 billion. AlexNet's first layer has some 35 thousand parameters. The way there is
# one idea:
# **look at a small patch only, and use the same weights at every place.**
#
# ## The idea: one small kernel, everywhere
# Start with 5×5 pixels: a dark left part, a bright right part. And nine weights, the
# *kernel*.
# %%
image = torch.tensor([[0.0, 0, 0, 9, 9]] * 5)  # (5, 5): a vertical edge
kernel = torch.tensor([[-1.0, 0, 1]] * 3)  # (3, 3)

patch = image[0:3, 0:3]  # (3, 3): the upper left corner
print("upper left:", (patch * kernel).sum())
print("one step right:", (image[0:3, 1:4] * kernel).sum())
# %% [markdown]
# Multiply patch and kernel place by place, add up: one number. It is large where the
# patch looks like the kernel: dark on the left, bright on the right. Now slide. A 3×3
# kernel has three places along five pixels. Which numbers will stand in the right
# column?
# %%
output = torch.zeros(3, 3)
for i in range(3):
    for j in range(3):
        output[i, j] = (image[i : i + 3, j : j + 3] * kernel).sum()
print(output)
# %% [markdown] slideshow={"slide_type": "subslide"}
# That is a **convolution**, and its output is a *feature map*: a picture of where the
# edge is. Nine weights did the work at every place. (In mathematics the kernel is
# flipped first, and this would be called a cross-correlation. In deep learning nobody
# flips: the weights are learned anyway.)
#
# PyTorch's `F.conv2d` does the same for a batch of images. Three kernels on a
# photograph:
# %%
from crashcourse.datasets import photos
from crashcourse.figures import image_grid

photo = next(photo for photo in photos("train") if photo.name == "dogs")
grey = photo.image[:, 200:456, 100:356].float().mean(0) / 255  # (256, 256)
mean = torch.full((3, 3), 1 / 9)
kernels = torch.stack([kernel, kernel.T, mean])[:, None]  # (3, 1, 3, 3)
maps = F.conv2d(grey[None, None], kernels)  # (1, 3, 254, 254)
titles = ["a photograph", "left-right edges", "top-bottom edges", "blur"]
image_grid([grey[None], *maps[0, :, None]], titles, columns=4, normalize=True)
print(photo.credit, "·", photo.licence)
# %% [markdown]
# People designed such kernels for decades. A convolutional network learns them.
#
# ### Where the taps land: stride, padding, dilation
# A kernel's weights are its *taps*. Three numbers say which pixels they meet. Look at
# one row of 7 pixels and a kernel of 3: **stride** is the step from one place to the
# next, **padding** adds zeros at both ends, **dilation** spreads the taps.
# %%
from crashcourse.figures import show_table


def taps(place: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> list[int]:
    return [place * stride + tap * dilation - padding for tap in range(3)]


rows = [
    ["plain", *(taps(place) for place in range(3))],
    ["stride 2", *(taps(place, stride=2) for place in range(3))],
    ["padding 1", *(taps(place, padding=1) for place in range(3))],
    ["dilation 2", *(taps(place, dilation=2) for place in range(3))],
]
headers = ["", "place 0", "place 1", "place 2"]
show_table(rows, headers, "Where the taps of a kernel of 3 land in a row of 7")
# %% [markdown]
# Pixel −1 is a padded zero. All of it is one formula. Along a row x, with a kernel w,
# output i is
#
# $$y_i = \sum_r w_r \; x_{\,i \,\cdot\, \text{stride} \;+\; r \,\cdot\, \text{dilation}
# \;-\; \text{padding}}$$
#
# How many places are there? The kernel *reaches* over dilation · (kernel − 1) + 1
# pixels. It starts at the left end of the padded row and moves on by the stride as
# long as it fits whole.
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 1** (5 minutes). Turn that into a function. Checking the arguments, the
# docstring's last lines, is optional.
# %% exercise="classification.output_size" slideshow={"slide_type": "-"}
# %%
print("5 pixels, kernel 3:              ", output_size(5, 3))
print("kernel 3 with padding 1 keeps:   ", output_size(28, 3, padding=1))
print("kernel 5 with padding 2 keeps:   ", output_size(28, 5, padding=2))
print("a stride of 2 halves:            ", output_size(28, 3, stride=2, padding=1))
print("kernel 3, dilation 2, is like 5: ", output_size(28, 3, dilation=2))
print("kernel 5:                        ", output_size(28, 5))
# %% [markdown]
# ### Many channels in, many maps out
# A colour image has 3 channels; a layer inside a network may have hundreds. Then
# **one filter has a kernel for every channel**, and adds up over all of them. Every
# filter makes one map, so K filters make K channels for the next layer. The weights
# of a layer are (K, C, R, S): filters, channels, rows, columns.
# %%
layer = nn.Conv2d(3, 96, kernel_size=11, stride=4)  # AlexNet's first
print("weight", tuple(layer.weight.shape), "bias", tuple(layer.bias.shape))
with torch.no_grad():
    print("output", tuple(layer(torch.zeros(1, 3, 227, 227)).shape))  # (N, K, H', W')
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 2** (10 to 15 minutes). Write it: for every image n, filter k and place
# (i, j),
#
# $$y_{n,k,i,j} = b_k + \sum_{c,r,s} w_{k,c,r,s} \;
# x_{n,\,c,\;i \,\cdot\, \text{stride} \,+\, r \,-\, \text{padding},\;
# j \,\cdot\, \text{stride} \,+\, s \,-\, \text{padding}}$$
#
# where r counts the kernel's rows and s its columns.
# Two loops, over i and j, are enough. `torch.einsum("ncrs,kcrs->nk", patch, weight)`
# multiplies patches (N, C, R, S) with filters (K, C, R, S), adds up over c, r, s, and
# gives (N, K).
# %% exercise="classification.conv2d" slideshow={"slide_type": "-"}
# %% [markdown] slideshow={"slide_type": "subslide"}
# From here on, `conv2d` is yours if it passed. It should do what PyTorch does, on the
# layer above and a real photograph:
# %%
crop = photo.image[None, :, :227, :227] / 255  # (1, 3, 227, 227)
with torch.no_grad():
    by_hand = conv2d(crop, layer.weight, layer.bias, stride=4)  # (1, 96, 55, 55)
    by_torch = F.conv2d(crop, layer.weight, layer.bias, stride=4)
print(tuple(by_hand.shape))
print("equal to 1e-5:", torch.allclose(by_hand, by_torch, atol=1e-5))
# %% [markdown]
# ### The same as one matrix product
# Loops are slow. Processors are fast at one thing: multiplying large matrices. So
# copy the patch under every place into a column, *im2col*, and the convolution
# becomes filters times columns. On a 4×4 image with a 3×3 kernel there are four
# places:
# %%
from crashcourse.classification.convolution import im2col

small = torch.arange(16.0).view(1, 1, 4, 4)  # (N, C, H, W)
columns = im2col(small, (3, 3))  # (1, 9, 4): a column for each place
print(columns[0].int())
# %% [markdown]
# The first column holds the upper left 3×3 patch: 0 1 2, 4 5 6, 8 9 10. Most pixels
# are there several times: im2col trades memory, up to R·S times as much, for speed.
# What is left to do is one product:
# %%
filters_as_rows = layer.weight.detach().flatten(1)  # (96, 3·11·11)
patches = im2col(crop, (11, 11), stride=4)  # (1, 363, 55·55)
product = (filters_as_rows @ patches).unflatten(2, (55, 55))  # (1, 96, 55, 55)
product = product + layer.bias.detach().view(-1, 1, 1)
print("equal to 1e-5:", torch.allclose(product, by_torch, atol=1e-5))
print(f"memory: {crop.numel():,} numbers became {patches.numel():,}")
# %%
import time


def milliseconds(function) -> float:
    start = time.perf_counter()
    with torch.no_grad():
        function()
    return 1000 * (time.perf_counter() - start)


# %%
weight, bias = layer.weight, layer.bias
loops = milliseconds(lambda: conv2d(crop, weight, bias, stride=4))
matrix = milliseconds(lambda: filters_as_rows @ im2col(crop, (11, 11), stride=4))
torchs = milliseconds(lambda: F.conv2d(crop, weight, bias, stride=4))
measured("loops over places", loops, "ms")
measured("one matrix product", matrix, "ms")
measured("PyTorch", torchs, "ms")
# %% [markdown]
# ### Groups
# One setting is left. With **groups = 2**, the first half of the filters sees the
# first half of the channels only, the second half the second. It is two convolutions
# side by side that never talk.
# %%
torch.manual_seed(0)
split = nn.Conv2d(4, 6, 3, groups=2)
x = torch.randn(1, 4, 8, 8)
with torch.no_grad():
    left = F.conv2d(x[:, :2], split.weight[:3], split.bias[:3])  # (1, 3, 6, 6)
    right = F.conv2d(x[:, 2:], split.weight[3:], split.bias[3:])  # (1, 3, 6, 6)
    both = torch.cat([left, right], dim=1)  # (1, 6, 6, 6)
    print("two halves make the whole:", torch.allclose(split(x), both, atol=1e-6))
print("weight with groups = 2:", tuple(split.weight.shape))
print("without:               ", tuple(nn.Conv2d(4, 6, 3).weight.shape))
# %% [markdown] slideshow={"slide_type": "subslide"}
# Half the weights, half the work. This is the whole formula, with all its settings,
# as the package has it. Read it against yours: two loops over *taps* instead of
# places, so that each step of the loop handles all places at once.
# %%
from crashcourse.classification import convolution
from crashcourse.figures import show_source

show_source(convolution.conv2d)
# %% [markdown]
# ### What it costs
# Two counts matter. **Parameters**: every filter has R·S weights for each channel of
# its group, and a bias. **MACs**, multiply-adds: all those weights are used once for
# every pixel of the output. (Papers of this time write "FLOPs" and mean MACs.)
#
# Guess first. One layer has 64 filters of 7×7×3 and an output of 112×112. The other
# has 512 filters of 3×3×512 and an output of 7×7. Which has more parameters, and which
# needs more MACs?
# %% tags=["guess"]
from crashcourse.classification.convolution import conv_macs, conv_parameters

rows = []
for filters, kernel, channels, side in ((64, 7, 3, 112), (512, 3, 512, 7)):
    parameters = conv_parameters(channels, filters, kernel)
    macs = conv_macs(channels, filters, kernel, side)
    name = f"{filters} of {kernel}×{kernel}×{channels}"
    rows.append([name, f"{side}×{side}", parameters, macs])
headers = ["filters", "output", "parameters", "MACs"]
print("The two layers:")
show_table(rows, headers, "A layer near the image, and one near the end")
# %% [markdown]
# 249 times the parameters, but slightly less work: parameters do not know how often
# they are used.
#
# ### How far an output sees
# One output of a 3×3 layer sees 3×3 pixels. Stack a second one, and its outputs see
# 3×3 outputs of the first, which see 5×5 pixels. This square is the **receptive
# field**. Strides make it grow fast. In a live notebook, move the sliders: which
# setting makes the field grow fastest, and which leaves holes?
# %%
from crashcourse.figures import receptive_field_explorer

receptive_field_explorer([(3, 2), (3, 2), (3, 1)], input_size=28)
# %% [markdown]
# Strides make it grow fastest: after a stride of 2, all later taps count double. A
# dilation of 2 in every layer leaves holes: every second pixel is met by no tap.
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 3** (8 minutes). Compute it. Go up from the image and keep two numbers:
# the *field*, and the *jump*, which is how many pixels of the image lie between two
# neighbours of the map you are on. A layer with a kernel of k and a dilation of d
# adds (k − 1)·d neighbours, each one jump apart. Then its stride multiplies the jump.
# %% exercise="classification.receptive_field" slideshow={"slide_type": "-"}
# %%
print("two 3×3:                     ", receptive_field([(3, 1), (3, 1)]))
print("three 3×3, strides 2, 2, 1:  ", receptive_field([(3, 2), (3, 2), (3, 1)]))
dilated = [(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)]
print("dilations 1, 2, 4, 8:        ", receptive_field(dilated))
# %% [markdown]
# ## The reference: AlexNet, 2012
# In 2012 a convolutional network won the ImageNet competition: 1.2 million
# photographs, 1000 classes. For how many images was the right class not among the
# first five guesses? (Krizhevsky, Sutskever and Hinton, 2012, table 2)
#
# - One such network: 18.2 % of the validation images.
# - The average of five: 16.4 %.
# - The best entry without deep learning: 26.2 % of the test images.
#
# | layer | filters | kernel | stride | padding | groups | then |
# |---|---|---|---|---|---|---|
# | conv1 | 96 | 11×11 | 4 | 0 | 1 | ReLU, LRN, max-pool 3×3, stride 2 (pool1) |
# | conv2 | 256 | 5×5 | 1 | 2 | 2 | ReLU, LRN, max-pool 3×3, stride 2 |
# | conv3 | 384 | 3×3 | 1 | 1 | 1 | ReLU |
# | conv4 | 384 | 3×3 | 1 | 1 | 2 | ReLU |
# | conv5 | 256 | 3×3 | 1 | 1 | 2 | ReLU, max-pool 3×3, stride 2 (pool5) |
# | fc6, fc7 | 4096 | dense | | | | ReLU, dropout ½ |
# | fc8 | 1000 | dense | | | | softmax |
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 4** (10 minutes). Fill in its shapes, as (channels, rows, columns), and
# its parameters, biases included, for an image of 3×227×227. Your `output_size` and
# the package's `conv_parameters(in_channels, out_channels, kernel, groups=...)` help.
# A pooling window is placed like a kernel.
# %% exercise="convolution.alexnet_shapes" slideshow={"slide_type": "-"}
# %% [markdown] slideshow={"slide_type": "subslide"}
# And now all of it, read from the live network. Guess: where are the parameters, and
# where is the work?
# %% tags=["guess"]
from crashcourse.classification import alexnet, zfnet
from crashcourse.figures import network_diagram
from crashcourse.inspection import count_macs, count_parameters

with torch.device("meta"):  # shapes without numbers: nothing is allocated
    paper, one_column, zeiler = alexnet(paper=True), alexnet(), zfnet()
print("Parameters and multiply-adds of each layer:")
network_diagram(paper, (3, 227, 227), title="AlexNet as published in 2012")
# %% [markdown]
# The dense layers hold 58.6 of 61.0 million parameters. The convolutions do 92 % of
# the work.
#
# ### Two AlexNets
# Say "AlexNet" to PyTorch, and you get another network, with almost the same number
# of parameters:
# %%
for name, network, size in (("2012", paper, 227), ("2014", one_column, 224)):
    macs = count_macs(network, (3, size, size))
    print(f"{name}: {count_parameters(network):,} parameters, {macs:,} MACs")

for old, new in zip((0, 4, 8, 10, 12), (0, 3, 6, 8, 10), strict=True):
    before = tuple(paper.features[old].weight.shape)
    after = tuple(one_column.features[new].weight.shape)
    print(f"{before!s:18} → {after}")
# %% [markdown]
# **Two groups because of two GPUs.** A card had 3 GB in 2012, too little for the
# network, so the authors put half of the filters on each of two cards. The halves
# exchange their maps before conv3 only. In the arithmetic that is groups = 2 in
# conv2, conv4 and conv5. The one-column form (Krizhevsky, 2014) fits on one card, has
# no groups, and narrows some layers instead. That the totals differ by only 0.2 % is
# chance.
# %% [markdown] slideshow={"slide_type": "subslide"}
# **227, not 224.** The paper says that its images are 224×224. Places of an 11×11
# kernel overlap, 4 pixels apart. Does the last one end where the image ends?
# %%
for size, padding in ((224, 0), (227, 0), (224, 2)):
    rest = (size + 2 * padding - 11) % 4
    places = output_size(size, 11, 4, padding)
    print(f"size {size}, padding {padding}: {places} places, left over: {rest}")
# %% [markdown]
# The paper's own maps are 55×55. So it is 227 without padding, where nothing is left
# over, or 224 with padding 2, as in the form of 2014, where one line of zeros is never
# met.
# %% [markdown] slideshow={"slide_type": "subslide"}
# **The LRN trap.** AlexNet has *local response normalisation*: each value a is
# divided by $(k + \alpha \sum a^2)^\beta$, the sum running over its 5 neighbouring
# channels, with k = 2, α = 10⁻⁴, β = 0.75. PyTorch has a layer of that name. But it
# divides α by the number of neighbours, and its k is 1 unless you say otherwise:
# %%
a = torch.full((1, 5, 1, 1), 50.0)  # five channels, all 50
by_formula = 50 / (2 + 1e-4 * 5 * 50**2) ** 0.75
as_printed = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
corrected = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
print(f"the paper's formula:          {by_formula:.2f}")
print(f"LocalResponseNorm(5, 1e-4):   {as_printed(a)[0, 2].item():.2f}")
print(f"with alpha=5e-4, k=2:         {corrected(a)[0, 2].item():.2f}")
# %% [markdown] slideshow={"slide_type": "subslide"}
# Is the package's AlexNet right? torchvision's is an independent implementation. Give
# both the same weights and the same photographs:
# %%
import torchvision.models

with torch.no_grad():
    ours, theirs = alexnet().eval(), torchvision.models.alexnet().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    some = [photo.image[:, :127, :127] for photo in photos("train")[:4]]
    crops = torch.stack(some) / 255  # (4, 3, 127, 127)
    difference = (ours(crops) - theirs(crops)).abs().max().item()
print("largest difference below 1e-5:", difference < 1e-5)
del ours, theirs  # a quarter of a gigabyte each
# %% [markdown]
# ### ZFNet: the same network after a look inside
# In 2013 Zeiler and Fergus looked at what AlexNet's filters respond to. The first
# layer had learned very fine and very coarse patterns and little in between, and some
# filters were dead. The second layer showed **aliasing**: the first layer's stride of
# 4 takes so few samples that fine stripes look like coarse ones. See for yourself. The
# rings become finer outwards, down to 5 pixels a stripe pair at the edge of the disc.
# Take every pixel, every second, every fourth:
# %%
x = torch.arange(224.0) - 112
squared = x.view(-1, 1) ** 2 + x**2  # (224, 224): squared distance from the centre
rings = 0.5 + 0.5 * torch.cos(torch.pi / 5 * squared / 112)
rings[squared > 112**2] = 0.5  # grey outside of the disc
one_tap = torch.ones(1, 1, 1, 1)
maps = [conv2d(rings[None, None], one_tap, stride=stride)[0] for stride in (1, 2, 4)]
titles = ["stride 1", "stride 2", "stride 4: false rings"]
alt = "Rings, finer outwards. Stride 2 keeps them; stride 4 makes false, coarse ones."
image_grid(maps, titles, columns=3, alt=alt)
# %% [markdown] slideshow={"slide_type": "subslide"}
# So they changed the first layer from 11×11 with stride 4 to **7×7 with stride 2**,
# and dropped the two groups. That is nearly the whole difference between the two
# networks. What does it cost?
# %%
rows = []
for name, size, kernel, stride, padding in (
    ("AlexNet", 227, 11, 4, 0),
    ("ZFNet", 224, 7, 2, 1),
):
    side = output_size(size, kernel, stride, padding)
    counts = conv_parameters(3, 96, kernel), conv_macs(3, 96, kernel, side)
    rows.append([name, f"{kernel}×{kernel}, stride {stride}", side, *counts])
headers = ["network", "first layer", "side of its maps", "parameters", "MACs"]
show_table(rows, headers, "The first layers")
# %%
rows = []
for name, network, size in (("AlexNet", paper, 227), ("ZFNet", zeiler, 224)):
    field = receptive_field(convolution.layers_of(network.features))
    macs = count_macs(network, (3, size, size))
    rows.append([name, count_parameters(network), macs, f"{field}×{field}"])
headers = ["network", "parameters", "MACs", "one place of pool5 sees"]
show_table(rows, headers, "The whole networks")
# %% [markdown]
# One network went from 18.1 % (their own AlexNet) to 16.5 % top-5 error; with larger
# layers 3 to 5, to 16.0 % (Zeiler and Fergus, 2014, table 2). You will often read
# 11.7 % for "ZFNet". That was the winning entry of Zeiler's company Clarifai in 2013:
# an average of several networks, and mostly better hyper-parameters, not a new kind
# of layer.
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 5** (3 minutes). A question about why. Use the picture and the numbers
# above.
# %% exercise="convolution.why_stride_2" slideshow={"slide_type": "-"}
# %% [markdown]
# ## The run: a small AlexNet on garments
# The package has a relative for 28×28 images: five convolutions in AlexNet's order,
# with a finer first layer, as in ZFNet. The weights start as random numbers of a size
# that lets the signal through (He et al., 2015). The first layer starts almost at
# zero, as in AlexNet, with a standard deviation of 0.01: whatever you will see in it
# later was learned.
# %%
from crashcourse.recipes.garments import small_alexnet


def fresh(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    network = small_alexnet(kernel=5, stride=2)
    nn.init.normal_(network[0].weight, std=0.01)  # AlexNet's own start
    return network


network_diagram(fresh(0), (1, 28, 28), title="A small AlexNet")
# %% [markdown]
# ### The loop, written out
# This is all that training is. Every larger loop, also `fit`, only adds comfort to
# these lines.
# %%
few = training.take(2000).batches(64, seed=0, drop_last=True)
plain = fresh(0).train()
optimizer = torch.optim.SGD(plain.parameters(), lr=0.02)
torch.manual_seed(1)  # dropout draws from it
for epoch in range(2):
    for batch in few.epoch(epoch):
        optimizer.zero_grad()  # forget the last batch's gradients
        loss = classify(plain, batch)["loss"]  # forwards
        loss.backward()  # backwards: a gradient for every parameter
        optimizer.step()  # a small step downhill
measured("loss of the last batch", loss.item())
# %% [markdown]
# Does `fit` do anything else? Give it the same start, the same batches, the same
# optimizer, and compare every weight. Not nearly equal: equal.
# %%
fitted = fresh(0)
torch.manual_seed(1)
rule = torch.optim.SGD(fitted.parameters(), lr=0.02)
_ = fit(fitted, few, classify, epochs=2, optimizer=rule, machine=cpu, progress=False)
pairs = zip(plain.parameters(), fitted.parameters(), strict=True)
print("bit for bit the same:", all(torch.equal(a, b) for a, b in pairs))
# %% [markdown] slideshow={"slide_type": "subslide"}
# Now in earnest: all 10,000 garments, eight epochs as for the dense network, and a
# learning rate that rises and falls again. With *momentum* 0.9, every step keeps nine
# tenths of the step before and adds the new gradient. After each epoch the network is
# judged on the unseen garments. This takes half a minute or so; then the curves come.
# %%
images, labels = held_out.normalised(), held_out.labels


def evaluate(network: nn.Module) -> dict[str, float]:
    scores = evaluate_classifier(network, images, labels)
    return {f"test_{name}": value for name, value in scores.items()}


# %%
from crashcourse.figures import learning_curves
from crashcourse.training import one_cycle

network = fresh(0)
history = fit(
    network,
    batches,
    classify,
    epochs=8,
    optimizer=torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9),
    schedule=one_cycle(),  # the rate: up for three tenths of the steps, then down
    evaluate=evaluate,
    machine=Machine(device="cpu", channels_last=True),  # another order in memory
    progress=False,
)
learning_curves(history)
# %%
claim("accuracy on unseen garments", accuracy(network, 0), at_least=0.84)
ahead = accuracy(network, 0) - accuracy(dense, 0)
claim("ahead of the dense network", ahead, at_least=-0.05, at_most=0.05)
longer = history.seconds / dense_run.seconds
measured("time to train, compared with the dense network", longer, "times")
# %% [markdown]
# On garments as they are, the two lie within a few points of each other, though the
# convolutional network took much longer and had another optimizer. These garments all
# stand in the middle, at one size: a dense layer can learn every place of them.
# %% [markdown] slideshow={"slide_type": "subslide"}
# And the shirt that moves? Guess both columns before you run.
# %% tags=["guess"]
print("accuracy on garments moved to the right:")
for pixels in (0, 1, 2, 4, 6):
    both = [approximately(accuracy(one, pixels)) for one in (dense, network)]
    print(f"{pixels} pixels to the right: dense {both[0]}, convolutional {both[1]}")
gain = accuracy(network, 4) - accuracy(dense, 4)
claim("gain of convolution at 4 pixels", gain, at_least=0.2)
# %% [markdown]
# Better, not cured. A map moves with the image, and exactly so, if the shift is a
# multiple of all strides up to it and the place sees no border. How much does a place
# see?
# %%
layers = convolution.layers_of(network)
for name, count in (("conv1", 1), ("pool1", 2), ("conv2", 3), ("conv5", 6)):
    print(f"one place of {name} sees {receptive_field(layers[:count])} pixels")
# %% [markdown]
# The image has 28. So only conv1 and pool1 have places that see no border before and
# after the shift; from conv2 on, all maps change a little. And in the end a dense
# layer reads them, which again has a weight for every place. Two later ideas help
# more: averaging each map to one number (lesson 12), and training on shifted images.
# %% [markdown] slideshow={"slide_type": "subslide"}
# Where does it fail? The worst of its errors:
# %%
from crashcourse.figures import worst_errors

with torch.no_grad():
    scores = network(images)  # (2000, 10)
worst_errors(held_out.images, labels, scores, held_out.classes, count=8)
# %% [markdown]
# ## Looking inside
# What did it learn? The first layer is easy: its filters are small pictures. Mid-grey
# is zero, and zero is where they started.
# %%
from crashcourse.figures import filters

filters(network[0], columns=8)
# %% [markdown] slideshow={"slide_type": "subslide"}
# Edges in several directions, bars, blobs. Nobody told it about edges. AlexNet's
# first layer found the same, and colours.
#
# From the second layer on, filters have many channels and cannot be looked at.
# ZFNet's lasting gift is another way: choose **one activation, and project it back to
# the pixels it came from**. Run the network forwards, set everything in the layer to
# zero but one value, and go back down, layer by layer. A convolution goes back with
# the same filters, *transposed*: every value goes to all the pixels that it was summed
# from, times the same weights, and what meets at a pixel adds up. Two layers need
# thought.
#
# ### Backwards through max-pooling: the switches
# Pooling keeps the largest of each window and forgets where it was. So write that
# down on the way up. The paper calls it the *switch*.
# %%
x = torch.tensor([[1.0, 5, 2, 0], [3, 4, 1, 7], [0, 2, 6, 3], [9, 1, 2, 4]])
x = x[None, None]  # (1, 1, 4, 4)
pooled, switches = F.max_pool2d(x, 2, return_indices=True)  # (1, 1, 2, 2) each
print(pooled[0, 0])
print(switches[0, 0])  # row · 4 + column
# %%
from crashcourse.classification.deconvnet import unpool

signal = torch.tensor([[[[10.0, 20], [30, 40]]]])  # what comes back from above
print(unpool(signal, switches, (4, 4))[0, 0].int())
# %% [markdown]
# ### Backwards through a ReLU: three opinions
# On the way up, a ReLU received some value and passed it if it was positive. On the
# way down a signal arrives. Should it pass?
#
# - The **gradient** asks what was *received*: it passes where something passed
#   forwards (Simonyan et al., 2013).
# - The **deconvnet** asks about the *signal*: it passes what is positive (Zeiler and
#   Fergus, 2014).
# - **Guided backpropagation** asks for both (Springenberg et al., 2014).
# %% [markdown] slideshow={"slide_type": "subslide"}
# **Exercise 6** (3 minutes). Write the deconvnet's rule.
# %% exercise="classification.deconvnet_relu" slideshow={"slide_type": "-"}
# %%
from crashcourse.classification.deconvnet import gradient_relu, guided_relu

received = torch.tensor([[[[2.0, 2, -2, -2]]]])  # (1, 1, 1, 4)
signal = torch.tensor([[[[5.0, -5, 5, -5]]]])
rules = (gradient_relu, deconvnet_relu, guided_relu)
values = [received, signal, *(rule(signal, received) for rule in rules)]
rows = torch.cat(values).flatten(1).T.int().tolist()  # a row for each of the 4 places
headers = ["received", "signal", "gradient", "deconvnet", "guided"]
show_table(rows, headers, "What passes a ReLU on the way down")
# %% [markdown] slideshow={"slide_type": "subslide"}
# Now project. For each of eight garments: take the third convolution, find the
# strongest activation anywhere, and bring it back down to 28×28 pixels.
# %%
from crashcourse.classification.deconvnet import RULES, project

RULES["yours"] = deconvnet_relu  # put among the package's rules
stack = network[:11]  # up to the fifth convolution and its ReLU
third = 6  # network[6] is the third convolution
first = [(labels == kind).nonzero()[0] for kind in (0, 1, 3, 5, 7, 8, 9, 6)]
chosen = images[torch.cat(first)]  # (8, 1, 28, 28), normalised
rules = ("gradient", "yours", "guided")
projections = [project(stack, chosen, third, rule=rule).pixels for rule in rules]
print(tuple(projections[1].shape))  # (N, C, H, W): as many pixels as the images


# %%
def around_grey(pixels: Tensor) -> Tensor:
    largest = pixels.abs().amax(dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return 0.5 + pixels / (2 * largest)  # zero becomes grey


def pictures(normalised: Tensor) -> Tensor:
    return (normalised * training.std[0] + training.mean[0]).clamp(0, 1)


# %%
rows = [pictures(chosen), *map(around_grey, projections)]  # 4 of (8, 1, 28, 28)
names = ["garment", "gradient", "deconvnet", "guided"]
titles = [title for name in names for title in (name, *[""] * 7)]
alt = "Eight garments; below each its strongest activation, projected by three rules."
image_grid(torch.cat(rows), titles, columns=8, alt=alt)
# %% [markdown]
# Each shows what one activation answers to: perhaps the edge of a sleeve, the gap
# between two legs, the line of a sole. Compare the rows. The gradient is the
# noisiest. The guided rule lets least through and draws the cleanest strokes.
#
# Is the gradient row really the gradient? Ask autograd, for the same activation:
# %%
one = chosen[:1].clone().requires_grad_()
copy = one.clone()  # autograd forbids in-place changes, as by a ReLU, of `one` itself
network[: third + 1](copy).amax().backward()  # the strongest activation
found = project(stack, chosen[:1], third, rule="gradient")
by_autograd = one.grad * found.values  # a projection starts from the activation, not 1
print("equal to 1e-4:", torch.allclose(by_autograd, found.pixels, atol=1e-4))
# %% [markdown] slideshow={"slide_type": "subslide"}
# The paper's way to ask what a *channel* means: find the images that excite it most,
# and project its activation in each. If the projections show the same thing, that is
# what the channel looks for. Here are two of the 64 channels, chosen freely: try
# others. Do the projections agree?
# %%
from crashcourse.classification.deconvnet import strongest_images

training_images = training.take(2000).normalised()
for channel in (10, 20):
    best = strongest_images(stack, training_images, third, channel, count=8)
    pixels = project(stack, training_images[best], third, channel=channel).pixels
    rows = pictures(training_images[best]), around_grey(pixels)
    name = f"channel {channel}"
    alt = f"Eight garments that excite {name} most; below each, what excites it."
    before_after(*rows, labels=(name, "projected"), alt=alt)
# %% [markdown]
# ### Cover a part, and see whether it still knows
# The paper's other experiment needs no backward pass: slide a grey square over the
# image and write down the probability of the right class at the square's centre: black
# for 0, white for 1. Dark places in the map are those the network needs.
# %%
from crashcourse.classification.occlusion import occlusion_map

probability = scores.softmax(dim=1)[range(2000), labels]  # (2000,): of the right class
distance = (probability - 0.9).abs()  # rather sure, not quite
shown, hidden = [], []
for kind in (1, 7, 8, 9):
    place = int(torch.where(labels == kind, distance, 1).argmin())
    shown.append(held_out.images[place] / 255)  # (1, 28, 28)
    cover = {"size": 9, "value": 0.0, "centred": True}  # 0 is the mean grey
    hidden.append(occlusion_map(network, images[place], kind, **cover)[None])
titles = ["garment", "", "", "", "if covered here", "black: 0", "white: 1", ""]
alt = "Four garments; below each a map, dark where covering lowers the probability."
image_grid([*shown, *hidden], titles, columns=4, alt=alt)
# %% [markdown]
# ### A warning
# Clean pictures convince easily. Adebayo et al. (2018) proposed a test: make the
# network forget, and see whether the pictures notice. Keep only the first layer, and
# give all others new random weights. What will guided backpropagation draw?
# %%
forgetful = fresh(5)[:11].eval()
forgetful[0].load_state_dict(network[0].state_dict())  # all it still knows
two = (stack, forgetful)
both = [project(one, chosen, third, rule="guided").pixels for one in two]
alt = "Guided projections: above trained, below with all layers but the first random."
before_after(*map(around_grey, both), labels=("trained", "forgotten"), alt=alt)
# %% [markdown]
# The lower row shows outlines of the garments too, though nothing above the first
# layer has learned anything. Much in such pictures comes from the image, the first
# filters and the rule. In the authors' tests the plain, noisy gradient passed, and
# guided backpropagation did not. So use projections to find ideas, as Zeiler and
# Fergus did, and test the ideas by training.
#
# ## The full run
# Which first layer is better on garments? The recipe `alexnet_garments` trains both:
# a coarse one as in AlexNet (7×7, stride 4) and a finer one as in ZFNet (5×5, stride
# 2), the rest alike. This is a recorded study, three seeds each:
# %%
from crashcourse.recipes import gpu_cell, load_record, show_record

show_record("alexnet_garments", "study")
# %%
record = load_record("alexnet_garments", "study")
metric = "accuracy on unseen garments"
curves = {}
for name in record.variants:
    seeds = record.curves("test_accuracy", name)  # a list of 8 values for each seed
    curves[name] = [[{metric: value} for value in seed] for seed in seeds]
learning_curves(curves, [metric])
# %% [markdown] slideshow={"slide_type": "subslide"}
# The finer first layer wins with every seed:
# {record:alexnet_garments.study.zfnet.accuracy:.1%} on average, and at least
# {record:alexnet_garments.study.zfnet.accuracy_min:.1%}, against
# {record:alexnet_garments.study.alexnet.accuracy:.1%} and at most
# {record:alexnet_garments.study.alexnet.accuracy_max:.1%}. But that is not for free,
# and not quite fair: same data, same epochs, almost the same number of parameters,
# but not the same work.
# %%
for kernel, stride in ((7, 4), (5, 2)):
    macs = count_macs(small_alexnet(kernel=kernel, stride=stride), (1, 28, 28))
    print(f"{kernel}×{kernel}, stride {stride}: {macs:,} MACs")
# %% [markdown]
# Three times the multiply-adds. What ZFNet did to AlexNet cost 1.6 times.
#
# **At full scale** the recipe takes all 60,000 garments, four times the width and 30
# epochs. This cell trains it if you have a GPU. If you have none, it shows the recorded
# run, or says that there is no record yet.
# %%
gpu_cell("alexnet_garments")
# %% [markdown]
# ## What changed since
# The 11×11 kernel, LRN and the two columns are gone; VGG (lesson 11) uses 3×3 only.
# Groups came back as an idea, in ResNeXt and in mobile networks, where every channel
# is a group of its own (lesson 16). Today's networks start from He's initialisation
# (He et al., 2015), which keeps the size of the signal through ReLU layers; AlexNet's
# small random numbers work in shallow networks with care. Transformers cut images
# into patches with a single convolution, 16×16 with stride 16, and need more data to
# learn what a convolution has built in.
#
# **References**
# - A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
#   convolutional neural networks", 2012.
# - A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
#   2014, arXiv 1404.5997.
# - M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV
#   2014, arXiv 1311.2901.
# - K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks", 2013,
#   arXiv 1312.6034.
# - J. Springenberg et al., "Striving for simplicity: the all convolutional net",
#   2014, arXiv 1412.6806.
# - J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv
#   1810.03292.
# - K. He et al., "Delving deep into rectifiers", ICCV 2015, arXiv 1502.01852.
# - V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
#   2016, arXiv 1603.07285.
# - H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv 1708.07747.
