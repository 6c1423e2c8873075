"""Lesson 42, distillation: what people get wrong in the loss of a hint and in the limit of a high temperature."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F


def _limit(
    student: Tensor,
    teacher: Tensor,
    *,
    centre: Callable[[Tensor], Tensor] = lambda logits: logits - logits.mean(1, keepdim=True),
    centre_teacher: Callable[[Tensor], Tensor] | None = None,
    error: Callable[[Tensor], Tensor] = lambda difference: 0.5 * difference.square().mean(),
) -> Tensor:
    """`high_temperature_loss` with one thing wrong: what the keyword arguments say."""
    return error(centre(student) - (centre_teacher or centre)(teacher))


LIMIT_MISTAKES = {
    "not_centred": (
        partial(_limit, centre=lambda logits: logits),
        "You compare the logits as they are. A number added to all of them changes no probability: take the mean off.",
    ),
    "mean_added": (
        partial(_limit, centre=lambda logits: logits + logits.mean(1, keepdim=True)),
        "The means end up added, not taken off. From the student's logits take their own mean, likewise from the "
        "teacher's.",
    ),
    "sum_taken_off": (
        partial(_limit, centre=lambda logits: logits - logits.sum(1, keepdim=True)),
        "You take off the sum of an image's logits. Centred means that their mean is taken off.",
    ),
    "axis_lost": (
        partial(_limit, centre=lambda logits: logits - logits.mean(1)),
        "logits.mean(1) has the shape (N,), which does not fit to (N, K): say keepdim=True.",
    ),
    "student_alone_centred": (
        partial(_limit, centre_teacher=lambda logits: logits),
        "Only the student's logits are centred. The teacher's have a mean as well.",
    ),
    "teacher_alone_centred": (
        partial(
            _limit,
            centre=lambda logits: logits,
            centre_teacher=lambda logits: logits - logits.mean(1, keepdim=True),
        ),
        "Only the teacher's logits are centred. The student's have a mean as well.",
    ),
    "centred_over_images": (
        partial(_limit, centre=lambda logits: logits - logits.mean(0, keepdim=True)),
        "You take off the mean over images. Each image has its own, over its classes: dimension 1.",
    ),
    "one_mean_for_all": (
        partial(_limit, centre=lambda logits: logits - logits.mean()),
        "You take off one mean for all images. Each image has its own.",
    ),
    "largest_taken_off": (
        partial(_limit, centre=lambda logits: logits - logits.max(1, keepdim=True).values),
        "You take off the largest logit. Here it is the mean.",
    ),
    "log_softmax": (
        partial(_limit, centre=lambda logits: logits.log_softmax(1)),
        "You compare log-probabilities. They, too, differ from the logits by a number, but not by the mean.",
    ),
    "probabilities": (
        partial(_limit, centre=lambda logits: logits.softmax(1)),
        "You compare probabilities. At a high temperature it is the logits that are matched.",
    ),
    "standardised": (
        partial(
            _limit,
            centre=lambda logits: (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True),
        ),
        "You divide by the deviation. How far apart the logits are is what the student has to learn.",
    ),
    "no_half": (
        partial(_limit, error=lambda difference: difference.square().mean()),
        "The half is missing: T² · KL tends to ½ of the mean square.",
    ),
    "averaged_first": (
        partial(_limit, error=lambda difference: 0.5 * difference.mean().square()),
        "Centred differences add up to 0, so their mean says nothing. Square each of them, then take the mean.",
    ),
    "gradient": (
        partial(_limit, error=lambda difference: difference / difference.shape[1]),
        "That is the gradient, (z - v) / K. Return the loss that has it: half a mean of squares.",
    ),
    "squares_compared": (
        lambda student, teacher: (
            0.5 * (student - student.mean(1, keepdim=True)).square().mean()
            - 0.5 * (teacher - teacher.mean(1, keepdim=True)).square().mean()
        ),
        "You subtract squares. Subtract the logits, then square the difference.",
    ),
    "divided_twice": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().mean() / difference.shape[1]),
        "You divide by K twice. The mean over classes is the one 1/K of the limit.",
    ),
    "one_class_less": (
        partial(_limit, error=lambda difference: 0.5 * difference.var(1).mean()),
        "Tensor.var divides by K - 1. The limit is a mean, over all K classes: unbiased=False, or .square().mean().",
    ),
    "summed_over_images": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().mean(1).sum()),
        "You add up over images. Take their mean.",
    ),
    "for_each_image": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().mean(1)),
        "A number for each image comes back. Average those, too.",
    ),
    "as_number": (
        partial(_limit, error=lambda difference: (0.5 * difference.square().mean()).item()),
        ".item() makes a plain number of the loss, through which no gradient flows. Return the tensor.",
    ),
    "summed_over_classes": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().sum(1).mean()),
        "You add up over classes. 1/K is part of the limit: a mean over classes, too.",
    ),
    "summed": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().sum()),
        "You add up over images and classes. Take the mean over both.",
    ),
    "absolute": (
        partial(_limit, error=lambda difference: 0.5 * difference.abs().mean()),
        "You take absolute differences. The second term of a Taylor series is a square.",
    ),
    "root": (
        partial(_limit, error=lambda difference: difference.square().mean().sqrt()),
        "You take a root. The loss is half the mean square itself.",
    ),
    "half_root": (
        partial(_limit, error=lambda difference: 0.5 * difference.square().mean().sqrt()),
        "You take half the root of the mean square. There is no root in the limit.",
    ),
    "norm": (
        partial(_limit, error=lambda difference: 0.5 * difference.norm()),
        "The norm adds up all squares and takes a root. Here their mean is taken, and no root.",
    ),
    "norms_of_images": (
        partial(_limit, error=lambda difference: 0.5 * difference.norm(dim=1).mean()),
        "You average the norms of the images. It is squares that are averaged, over images and classes.",
    ),
}


def _hint(
    guided: Tensor,
    hint: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    regress: Callable[..., Tensor] = lambda guided, weight, bias: F.conv2d(guided, weight, bias).relu(),
    error: Callable[[Tensor], Tensor] = lambda difference: 0.5 * difference.square().sum((1, 2, 3)).mean(),
) -> Tensor:
    """`hint_loss` with one thing wrong: what the keyword arguments say."""
    return error(hint - regress(guided, weight, bias))


HINT_MISTAKES = {
    "roles_swapped": (
        lambda guided, hint, weight, bias: _hint(hint, guided, weight, bias),
        "You run the teacher's maps through the regressor. It is the student who has to predict: r(guided).",
    ),
    "without_regressor": (
        partial(_hint, regress=lambda guided, weight, bias: guided),
        "You compare the student's maps themselves. They have other channels: first the regressor.",
    ),
    "relu_of_difference": (
        lambda guided, hint, weight, bias: _hint(
            guided, hint, weight, bias, regress=F.conv2d, error=lambda d: 0.5 * d.relu().square().sum((1, 2, 3)).mean()
        ),
        "Your ReLU stands around the difference, where it forgives every map that is too high. It belongs to the "
        "regressor.",
    ),
    "relu_on_hint": (
        lambda guided, hint, weight, bias: _hint(guided, hint.relu(), weight, bias),
        "The hint goes through a ReLU, too. It is compared as it comes; the ReLU is the regressor's.",
    ),
    "student_cut_off": (
        lambda guided, hint, weight, bias: _hint(guided.detach(), hint, weight, bias),
        "The value is right, but the student's maps are cut off (detach, no_grad): only the regressor would learn.",
    ),
    "no_relu": (
        partial(_hint, regress=F.conv2d),
        "The ReLU behind the convolution is missing. The teacher's maps come out of one.",
    ),
    "relu_first": (
        partial(_hint, regress=lambda guided, weight, bias: F.conv2d(guided.relu(), weight, bias)),
        "The ReLU comes before the convolution. It belongs behind it.",
    ),
    "no_bias": (
        partial(_hint, regress=lambda guided, weight, bias: F.conv2d(guided, weight).relu()),
        "The bias of the regressor is missing.",
    ),
    "bias_after_relu": (
        partial(
            _hint,
            regress=lambda guided, weight, bias: F.conv2d(guided, weight).relu() + bias[:, None, None],
        ),
        "The bias is added behind the ReLU. It is the convolution's.",
    ),
    "padded": (
        partial(
            _hint,
            regress=lambda guided, weight, bias: F.conv2d(guided, weight, bias, padding=weight.shape[-1] // 2).relu(),
        ),
        "Your maps keep their size: the convolution has padding, or only one weight of each kernel is used. A whole "
        "kernel without padding shrinks them to the teacher's size.",
    ),
    "flipped": (
        partial(_hint, regress=lambda guided, weight, bias: F.conv2d(guided, weight.flip(2, 3), bias).relu()),
        "You turn the kernel around. Networks do not.",
    ),
    "sigmoid": (
        partial(_hint, regress=lambda guided, weight, bias: F.conv2d(guided, weight, bias).sigmoid()),
        "Behind the convolution stands a ReLU, not a sigmoid.",
    ),
    "no_half": (
        partial(_hint, error=lambda difference: difference.square().sum((1, 2, 3)).mean()),
        "The half is missing.",
    ),
    "mean_over_all": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().mean()),
        "You average over channels and pixels, too. Add those up; average over images alone.",
    ),
    "mse": (
        partial(_hint, error=lambda difference: difference.square().mean()),
        "That is F.mse_loss. The hint's loss is half the sum of squares of an image, averaged over images.",
    ),
    "summed": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().sum()),
        "You add up over images, too. Average over those.",
    ),
    "norm": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().sum((1, 2, 3)).sqrt().mean()),
        "You take the norm. It is squared in the formula: no root.",
    ),
    "norm_of_all": (
        partial(_hint, error=lambda difference: 0.5 * difference.norm()),
        "You take one norm over all images. Square it, and average over the images.",
    ),
    "averaged_first": (
        partial(_hint, error=lambda difference: 0.5 * difference.mean(0).square().sum()),
        "You average the differences of the images, and then square. Square first: else images make up for each other.",
    ),
    "summed_first": (
        partial(_hint, error=lambda difference: 0.5 * difference.sum((1, 2, 3)).square().mean()),
        "You add up the differences, and then square. Square each of them: else too much makes up for too little.",
    ),
    "squares_compared": (
        lambda guided, hint, weight, bias: (
            0.5 * (hint.square() - F.conv2d(guided, weight, bias).relu().square()).sum((1, 2, 3)).mean()
        ),
        "You subtract squares. Subtract the maps, then square the difference.",
    ),
    "mean_over_channels": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().mean(1).sum((1, 2)).mean()),
        "You average over channels. Add up over channels and pixels.",
    ),
    "as_number": (
        partial(_hint, error=lambda difference: (0.5 * difference.square().sum((1, 2, 3)).mean()).item()),
        ".item() makes a plain number of the loss, through which no gradient flows. Return the tensor.",
    ),
    "absolute": (
        partial(_hint, error=lambda difference: 0.5 * difference.abs().sum((1, 2, 3)).mean()),
        "You take absolute differences. They are squared.",
    ),
    "mean_over_pixels": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().mean((2, 3)).sum(1).mean()),
        "You average over pixels. Add up over channels and pixels.",
    ),
    "for_each_image": (
        partial(_hint, error=lambda difference: 0.5 * difference.square().sum((1, 2, 3))),
        "A number for each image comes back. Average them.",
    ),
}
