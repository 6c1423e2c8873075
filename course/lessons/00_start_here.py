# ---
# jupyter:
#   crashcourse:
#     title: Start here
#     part: start
#     budget_seconds: 60
#     budget_mb: 2000
#     minutes_to_teach: 10
#     needs: []
#     about: [datasets.fashion_mnist, training.fitting]
# ---
# %% [markdown]
# # Teach a computer to tell a shirt from a boot
# In ten minutes you will train a network on real photographs of clothes, look at what
# it gets wrong, and meet the two things that make this course different: exercises
# that tell you *what* is wrong, and numbers that are checked.
#
# A notebook is a column of cells. Click into the cell below and press **Shift +
# Enter** to run it. Work downwards.
# %%
import torch
from torch import Tensor, nn

from crashcourse.datasets import garments

training, held_out = garments("train"), garments("test")
print(f"{len(training):,} garments to learn from, {len(held_out):,} to be judged on")
print("kinds:", ", ".join(training.classes))
# %% [markdown]
# ## What goes in
# These are the first three of each kind from Fashion-MNIST (Xiao, Rasul and Vollgraf,
# 2017): photographs from a shop's catalogue, reduced to 28×28 grey pixels and turned
# into negatives, so that the background is black. The course ships a sixth of the
# set, so they lie on your disk already. No lesson needs a network connection.
# %%
from crashcourse.figures import image_grid

first = [
    (training.labels == kind).nonzero().flatten()[:3] for kind in range(10)
]  # three places of each kind
chosen = torch.stack(first, dim=1).flatten()  # (30,)
image_grid(
    training.images[chosen],
    [training.classes[kind] for kind in training.labels[chosen]],
    columns=10,
)
# %% [markdown]
# To the computer, a picture is a tensor: a block of numbers. Four sizes describe a
# batch of pictures, always in this order: how many, channels (1 for grey, 3 for
# colour), height, width. Each number is a brightness from 0 to 255.
# %%
print(training.images.shape, training.images.dtype)  # (N, C, H, W)
print(training.images[0, 0, 10:14, 10:16])  # 4×6 pixels out of the first garment
# %% [markdown]
# ## Your first exercise
# Training is easier with numbers of about the size of 1 than with numbers up to 255.
# Divide the pixels so that they lie between 0 and 1.
#
# The cell below is an exercise. Replace the line `raise NotImplementedError` with
# your own code and run the cell. It is checked at once. Try something that is
# *almost* right first, to see what happens. Then the right answer.
#
# Left as it is, the exercise is *not attempted*, and the lesson goes on with a
# reference. So you may also choose *Run All* now and come back later.
# %%
from crashcourse.exercises import answer, choice, exercise, hint, progress, solution

# %% exercise="start.to_float"
# %% [markdown]
# The panel compares your function with a reference on inputs that you have not seen.
# When it recognises a mistake that many people make, it says which. The next two
# cells hand wrong answers to the same check, so that you see what it says:
# %%
from crashcourse.exercises import catalogue

check = catalogue()["start.to_float"].check
check(lambda images: images / 256)
# %%
check(lambda images: images // 255)
# %% [markdown]
# Stuck? `hint("start.to_float")` in a cell of its own gives a first hint, and the
# next one each time you run it. `solution("start.to_float")` shows the reference.
# Attempts are not shown to anyone; in your progress you see which hints you took.
#
# ## What no skill at all is worth
# Before you look at a result, know what to compare it with. There are ten kinds of
# garment, equally many of each. You answer at random. What fraction of your answers
# will be right? Put a number in place of the three dots.
# %% exercise="start.guessing"
# %% [markdown]
# ## Train a network in ten seconds
# A network is a function with thousands of adjustable numbers, its *parameters*. This
# one slides 16 small filters over the picture, and then 32 over what the first ones
# found; lesson 10 takes filters apart. The drawing shows the layers that have
# parameters or change the size. *Maps* are the pictures that filters make, and a
# *MAC* is one multiplication with its addition, the unit of work.
# %%
from crashcourse.figures import network_diagram

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(1, 16, kernel_size=5, padding=2),  # (N, 16, 28, 28)
    nn.ReLU(),
    nn.MaxPool2d(4),  # (N, 16, 7, 7)
    nn.Conv2d(16, 32, kernel_size=3, padding=1),  # (N, 32, 7, 7)
    nn.ReLU(),
    nn.Flatten(),  # (N, 1568)
    nn.Linear(32 * 7 * 7, 10),  # (N, 10): a score for each kind
)
network_diagram(network, (1, 28, 28), title="A first network")
# %% [markdown]
# Training shows it 100 garments at a time, measures how wrong its scores are (the
# *loss*) and moves every parameter a little in the direction that lowers the loss.
# One *epoch* is one pass over all garments. Notice `to_float`: it is your function if
# it passed, else the reference.
# %%
import torch.nn.functional as F

from crashcourse.datasets import Batches
from crashcourse.training import fit


def step(network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    images, labels = batch  # (100, 1, 28, 28), (100,)
    scores = network(images)  # (100, 10)
    right = (scores.argmax(dim=1) == labels).float().mean()
    return {"loss": F.cross_entropy(scores, labels), "accuracy": right}


batches = Batches(training.images, training.labels, batch_size=100, transform=to_float)
history = fit(
    network, batches, step, epochs=3, optimizer=lambda p: torch.optim.Adam(p, lr=2e-3)
)
# %% [markdown]
# The line above has numbers after **≈**. That sign means *measured here*: on your
# machine they differ in the last digits, or, for times, a lot. Figures are measured,
# too. All other text that a lesson prints is exact, and tests compare it on every
# change.
# %%
from crashcourse.figures import learning_curves

learning_curves({"training garments": history})
# %% [markdown]
# ## Judge it on garments that it has never seen
# A *claim* is a measured number with a bound. If the bound did not hold here, the
# cell would fail, and we would like to hear of it.
# %%
from crashcourse.claims import claim

with torch.no_grad():
    scores = network(to_float(held_out.images))  # (2000, 10)
accuracy = (scores.argmax(dim=1) == held_out.labels).float().mean().item()
claim("accuracy on unseen garments", accuracy, at_least=0.82)
# %% [markdown]
# (Is it above the curve? The curve is an average over an epoch, while the network was
# still learning.)
#
# Where does it fail? These are the garments whose true kind it found least likely.
# Above each stands what it is, and what the network took it for.
# %%
from crashcourse.figures import worst_errors

worst_errors(held_out.images, held_out.labels, scores, held_out.classes, count=8)
# %% [markdown]
# And which kinds does it confuse? Read a row from left to right: of all shirts, how
# many in a hundred were called a T-shirt? Where nothing stands, it is less than half
# a per cent.
# %%
from crashcourse.figures import confusion_matrix

confusion_matrix(held_out.labels, scores, held_out.classes)
# %% [markdown]
# ## One question
# Choose an answer. In JupyterLab you can click; in any other place write its letter
# as a second argument, such as `choice("start.measured", "a")`.
# %% exercise="start.measured"
# %% [markdown]
# ## Where your progress is kept
# In your user folder, not in this notebook: it survives a new copy of the lesson, and
# two open notebooks share it. `progress()` shows it here, `crashcourse status` in a
# shell.
# %%
progress(0)
# %% [markdown]
# ## Laptop and GPU
# Training in a lesson takes at most a minute on one core of a laptop. The same
# *recipe*, with more data and a larger network, runs on a GPU with one command, such
# as `crashcourse train vgg_garments --scale gpu`. It leaves a record, and lessons
# show you that record if you have no GPU. Here is the record of a comparison that
# lesson 11 explains, and what stands in its place where nobody has run it yet:
# %%
from crashcourse.recipes import show_record

show_record("vgg_garments", "study")
print()
show_record("vgg_garments", "gpu")
# %% [markdown]
# ## When the course is updated
# Get the new version (`git pull`) and start the course as before. Lessons that you
# did not touch are replaced. In those that you changed, your answers are carried into
# the new version, and your old file stays beside it. To start a lesson afresh, rename
# or delete your copy and start the course again.
#
# ## Where to go next
# Lesson **10, Convolution**, builds the layer that you have just used, by hand.
# Lesson **11, VGG**, stacks it sixteen deep.
#
# *Reference:* H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset
# for benchmarking machine learning algorithms", 2017, arXiv 1708.07747.
