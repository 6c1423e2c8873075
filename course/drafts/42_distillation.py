# ---
# jupyter:
#   crashcourse:
#     title: Distillation
#     part: distillation
#     budget_seconds: 90
#     budget_mb: 2000
#     minutes_to_teach: 60
#     needs: [11, 13]
#     about:
#     - distillation.soft_targets
#     - distillation.fitnets
# ---
# %% [markdown]
# # What a wrong answer teaches
# A large network takes a sneaker for a sneaker. It also says: *a little like a sandal,
# hardly like a shirt*. The label says nothing of that. This lesson trains a small
# network on all that a large one says. In about 60 minutes you will write the loss,
# see what its temperature does, let a student learn a class that it never saw, and read
# a study that says how much of all this is real on few labels.
# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crashcourse.claims import claim, measured
from crashcourse.exercises import answer, choice, exercise, hint, solution

# %% [markdown]
# ## The problem: 500 labels
# Fifty labelled images of each kind of garment, and a network that has to be small. It
# is trained in the usual way, on labels alone:
# %%
from crashcourse.datasets import garments
from crashcourse.figures import image_grid
from crashcourse.inspection import count_parameters
from crashcourse.recipes import train
from crashcourse.recipes.base import find
from crashcourse.recipes.distillation import few_labels

scale = find("distil_garments").scale("laptop")
training, test = garments("train"), garments("test")
few = few_labels(training, scale.images, seed=0)
print(few)
names = [few.classes[label] for label in few.labels[:10].tolist()]
image_grid(few.images[:10], names, columns=10)
# %%
runs = {"alone": train("distil_garments", variant="alone", progress=False)}
print(f"{count_parameters(runs['alone'].model):,} parameters")
measured("accuracy on unseen garments", runs["alone"].metrics["accuracy"])
# %% [markdown]
# Suppose somebody has a network four times as wide that learned from 10,000 labelled
# images. It is too large for the phone, but it can be asked. Call it the **teacher**,
# and the small one the **student**.
# %%
runs["teacher"] = train("distil_garments", variant="teacher", progress=False)
teacher = runs["teacher"].model
print(f"{count_parameters(teacher):,} parameters")
measured("accuracy on unseen garments", runs["teacher"].metrics["accuracy"])
# %% [markdown]
# ## The idea: ask for more than the answer
# What does the teacher say of its images? Here are three, with its probabilities:
# %%
from crashcourse.figures import COLOURS, figure, show

with torch.no_grad():
    logits = teacher(few.normalised())  # (500, 10)
shown = [int((few.labels == kind).nonzero()[0]) for kind in (6, 7, 8)]
fig, panels = figure(1, 3, height=2.8)
for axes, row in zip(panels, shown, strict=True):
    axes.bar(range(10), logits[row].softmax(0), color=COLOURS["blue"])
    axes.set(title=few.classes[few.labels[row]], xticks=range(10), ylim=(0, 1))
    axes.set_xlabel("class")
panels[0].set_ylabel("probability")
show(fig, alt="Three bar charts: nearly all probability lies on one class of ten.")
# %% [markdown]
# Nearly all lies on one class: hardly more than the label says. But the logits behind
# it do differ. Hinton, Vinyals and Dean (2015) bring that out with a **temperature** T,
# by which the logits are divided before the softmax:
#
# $$q_i = \frac{\exp(z_i / T)}{\sum_j \exp(z_j / T)}$$
#
# On three numbers first:
# %%
from crashcourse.distillation import soften

ratios = torch.tensor([[16.0, 4.0, 1.0]]).log()  # (1, 3), so that numbers are round
for temperature in (1, 2, 1000):
    row = [round(value, 3) for value in soften(ratios, temperature)[0].tolist()]
    print(f"T = {temperature:4}: {row}")
# %% [markdown]
# Then on the same three garments. Look for what the sneaker is also a little like.
# %%
fig, panels = figure(1, 3, height=2.8)
for axes, row in zip(panels, shown, strict=True):
    for temperature, colour in zip((1, 4, 20), COLOURS.values(), strict=False):
        values = soften(logits[row : row + 1], temperature)[0]
        axes.plot(values, "o-", color=colour, label=f"T = {temperature}")
    axes.set(title=few.classes[few.labels[row]], xticks=range(10), yscale="log")
    axes.set_xlabel("class")
panels[0].set_ylabel("probability")
panels[0].legend(fontsize=9)
alt = "The higher the temperature, the nearer the ten probabilities come to each other."
show(fig, alt=alt)
# %% [markdown]
# These are **soft targets**. The student is to give the same probabilities, at the same
# temperature. How far it is from that says the divergence of q, the student's, from p,
# the teacher's:
#
# $$KL(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i}$$
#
# ### How strongly does it pull?
# One student, one teacher, and the gradient of the divergence at rising temperatures:
# %%
torch.manual_seed(0)
student_logits = torch.randn(50, 10, requires_grad=True)
teacher_logits = 2 * torch.randn(50, 10)
for temperature in (1, 4, 20, 100):
    log_q = F.log_softmax(student_logits / temperature, 1)
    p = soften(teacher_logits, temperature)
    loss = F.kl_div(log_q, p, reduction="batchmean")
    (gradient,) = torch.autograd.grad(loss, student_logits)
    plain, scaled = gradient.norm().item(), (temperature**2 * gradient).norm().item()
    print(f"T = {temperature:3}: {plain:.5f}, times T²: {scaled:.3f}")
# %% [markdown]
# It falls as 1/T². One 1/T comes from the division of the logits, one from p and q,
# which come nearer to each other. So the loss is multiplied by **T²**: else the labels,
# which are to have a small say beside the soft targets, would take over as T grows.
# %% exercise="distillation.why_squared"
# %% [markdown]
# **Write the loss**: soft targets and labels, in a weighted mean.
# %% exercise="distillation.kd_loss"
# %%
labels = torch.randint(10, (50,))
print(f"{kd_loss(student_logits, teacher_logits, labels, 4.0, 0.1).item():.4f}")
# %% [markdown]
# ### What is left when T is high
# With T² the gradient tends to a limit. Which one? For small x, exp(x) is about 1 + x.
# So q is about (1 + z/T) / (K + Σz/T), and with the mean of the logits taken off, the
# gradient becomes (z - v) / K for K classes: **the student copies logits**.
# %% exercise="distillation.high_temperature"
# %%
from crashcourse.distillation import soft_loss

limit = high_temperature_loss(student_logits, teacher_logits).item()
for temperature in (1, 4, 20, 100, 1000):
    loss = soft_loss(student_logits, teacher_logits, temperature).item()
    print(f"T = {temperature:4}: {loss:.4f}, limit {limit:.4f}")
# %% [markdown]
# One image by hand, to be sure:
# %% exercise="distillation.temperatures"
# %% [markdown]
# ## The run: the same 500 images, with a teacher
# Same images, same epochs, same network as the student that was alone. Will the teacher
# help it? Guess, then run.
# %%
runs["distilled"] = train("distil_garments", variant="distilled", progress=False)
# %% tags=["guess"]
print("the student, with its teacher:")
measured("accuracy on unseen garments", runs["distilled"].metrics["accuracy"])
# %% [markdown]
# One run is one run. Before you believe it, read the study below.
#
# ## Hints: what the teacher has in mind
# FitNets (Romero et al., 2014) let the student learn from the *middle* of the teacher,
# too, before it is distilled. The teacher's maps there are the **hint**. The student's
# have fewer channels, so a convolution and a ReLU, the **regressor**, stand between:
#
# $$\tfrac12 \, \| u - r(v) \|^2$$
#
# u the teacher's maps, v the student's. The student learns up to this layer, together
# with r. Then r is thrown away.
# %% exercise="distillation.hint_loss"
# %%
from crashcourse.distillation import regressor
from crashcourse.figures import show_source
from crashcourse.recipes.distillation import up_to_hint

images = few.normalised()[:4]
with torch.no_grad():
    hints = up_to_hint(teacher)(images)  # (4, 32, 7, 7)
    guided = up_to_hint(runs["alone"].model)(images)  # (4, 8, 7, 7)
layers = regressor(tuple(guided.shape[1:]), tuple(hints.shape[1:]))
print(tuple(guided.shape), "→", tuple(layers(guided).shape), "=", tuple(hints.shape))
print(f"{hint_loss(guided, hints, layers[0].weight, layers[0].bias).item():.0f}")
# %%
runs["hints"] = train("distil_garments", variant="hints", progress=False)
measured("accuracy on unseen garments", runs["hints"].metrics["accuracy"])
# %%
from crashcourse.figures import learning_curves

curves = {name: run.history for name, run in runs.items() if name != "teacher"}
learning_curves(curves, ["test_accuracy"])
# %% [markdown]
# ## Is it real?
# The same, recorded with five seeds: other labels, other weights, another teacher each.
# And with three controls: labels that are smoothed, which are soft, too, but know
# nothing; the teacher's answers for *all* images, without a label; and all labels.
# %%
from crashcourse.recipes import show_record

show_record("distil_garments")
