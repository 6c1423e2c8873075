"""Lesson 42, distillation: the table to fill in and the question. Paper: arXiv 1503.02531."""

from functools import cache

import torch

from crashcourse.distillation import logit_loss, soft_loss, soften
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise

COLD, WARM = "teacher at T = 1: three probabilities", "teacher at T = 2: three probabilities"
DIVERGENCE, LOSS = "KL at T = 2", "T² · KL at T = 2"
SLOPE = "gradient of T² · KL at T = 2 in the first logit"
LIMIT, LIMIT_SLOPE = "T² · KL when T goes to infinity", "its gradient in the first logit"
TEACHER, STUDENT = (16.0, 4.0, 1.0), (0.0, 0.0, 0.0)


@cache
def _table() -> dict[str, tuple[float, ...] | float]:
    """Probabilities, losses and gradients of one image, by the room's own functions."""
    teacher = torch.tensor([TEACHER], dtype=torch.float64).log()
    student = torch.tensor([STUDENT], dtype=torch.float64, requires_grad=True)
    loss, limit = soft_loss(student, teacher, 2), logit_loss(student, teacher)
    slope, limit_slope = (torch.autograd.grad(value, student)[0][0, 0].item() for value in (loss, limit))
    return {
        COLD: tuple(soften(teacher, 1)[0].tolist()),
        WARM: tuple(soften(teacher, 2)[0].tolist()),
        DIVERGENCE: loss.item() / 4,
        LOSS: loss.item(),
        SLOPE: slope,
        LIMIT: limit.item(),
        LIMIT_SLOPE: limit_slope,
    }


QUESTIONS = [
    AnswerExercise(
        name="distillation.temperatures",
        title="One image at three temperatures",
        lesson=42,
        question=(
            "One image, three classes. The teacher's logits are log 16, log 4 and 0, so at T = 1 its probabilities are "
            "as 16 to 4 to 1. The student knows nothing: its logits are 0, 0 and 0. Natural logarithms; three "
            "significant digits are enough."
        ),
        reference=_table,
        because=(
            "A temperature of 2 takes the root of each ratio: 16 to 4 to 1 becomes 4 to 2 to 1. The gradient is "
            "T (q - p), hardly another one at T = 2 than in the limit: that is what the factor T² is for."
        ),
        hints=(
            "Dividing a logarithm by 2 takes a root. Ratios become probabilities when you divide by their sum.",
            "KL = Σ p log(p / q) with q = 1/3. Gradient: T (q - p). Limit: ½ · mean of squares of centred differences.",
            "p = (4/7, 2/7, 1/7); KL = 4/7 log 12/7 + 2/7 log 6/7 + 1/7 log 3/7; centred: log 4, 0, -log 4.",
        ),
        tolerance=(5e-3, 1e-6),
        wrong={
            "ratios": ({COLD: (16.0, 4.0, 1.0)}, "Those are ratios. Divide by their sum, 21."),
            "largest_is_one": ({COLD: (1.0, 0.25, 0.0625)}, "Probabilities add up to 1: divide by the sum."),
            "logits_normalised": (
                {COLD: (2 / 3, 1 / 3, 0.0)},
                "You divided the logits by their sum. First exp, then divide.",
            ),
            "halved_ratios": (
                {WARM: (8 / 13, 4 / 13, 1 / 13)},
                "Logits are halved, not exponentials: exp(log 16 / 2) = 4.",
            ),
            "not_softened": ({WARM: (16 / 21, 4 / 21, 1 / 21)}, "That is T = 1."),
            "sharpened": ({WARM: (256 / 273, 16 / 273, 1 / 273)}, "You multiplied the logits by 2. Divide."),
            "even": ({WARM: (1 / 3, 1 / 3, 1 / 3)}, "So they are when T is infinite. At 2 they are 4 to 2 to 1."),
            "cold_divergence": (
                {DIVERGENCE: 0.43109},
                "That is the divergence at T = 1. Both sides are softened first.",
            ),
            "other_way": (
                {DIVERGENCE: 0.15415},
                "That is KL(q ‖ p). The teacher's probabilities weigh the logarithms.",
            ),
            "bits": ({DIVERGENCE: 0.20617}, "Those are bits. Take natural logarithms."),
            "cross_entropy": ({DIVERGENCE: 1.09861}, "That is the cross-entropy, log 3: subtract the entropy of p."),
            "entropy": ({DIVERGENCE: 0.95570}, "That is the entropy of p. The divergence is log 3 minus this."),
            "times_t": ({LOSS: 0.28581}, "That is T · KL. The factor is T² = 4."),
            "no_factor": ({LOSS: 0.14291}, "The factor T² = 4 is missing."),
            "no_temperature": ({SLOPE: 1 / 3 - 4 / 7}, "That is q - p. The gradient of T² · KL is T (q - p)."),
            "squared_temperature": (
                {SLOPE: 4 * (1 / 3 - 4 / 7)},
                "You multiply by T². A factor of 1/T comes from the logits, which are divided by T: T (q - p) is left.",
            ),
            "uphill": ({SLOPE: 2 * (4 / 7 - 1 / 3)}, "The sign: raising the first logit lowers the loss. q - p."),
            "not_centred": ({LIMIT: 1.60151}, "The teacher's logits have a mean, log 4. Take it off first."),
            "no_half": ({LIMIT: 1.28121}, "The half is missing."),
            "no_mean": ({LIMIT: 1.92181}, "Mean over the three classes, not sum."),
            "zero": ({LIMIT: 0.0}, "KL goes to 0, but T² grows as fast: the product has a limit."),
            "slope_not_centred": (
                {LIMIT_SLOPE: -0.92420},
                "The mean of the teacher's logits, log 4, is not taken off.",
            ),
            "slope_of_a_sum": ({LIMIT_SLOPE: -1.38629}, "A third of it: the loss is a mean over three classes."),
            "slope_uphill": ({LIMIT_SLOPE: 0.46210}, "The sign: (z - v) / K, and z is smaller."),
        },
    ),
    ChoiceExercise(
        name="distillation.why_squared",
        title="Why T² is there",
        lesson=42,
        question=(
            "Somebody trains with the mean of soft loss and hard loss, weights 0.9 and 0.1, forgets the factor T², and "
            "raises T from 5 to 50. What happens to the student?"
        ),
        options={
            "a": "It learns the soft targets more closely, since they are smoother at 50.",
            "b": "Nothing: T divides student and teacher alike, so it falls out of the gradient.",
            "c": "It learns from the labels alone, nearly: the soft part's gradient shrinks about a hundredfold.",
            "d": "Its training diverges, because the soft loss grows with T.",
        },
        reference="c",
        because=(
            "Without the factor the gradient of the soft loss is (q - p) / T, and q - p itself shrinks as 1/T: 1/T² in "
            "all. From 5 to 50 that is a hundredth, and the hard loss, weight 0.1, is left as the stronger. "
            "With T² the balance stays, and T decides only what the soft targets say."
        ),
        hints=(
            "Write down the gradient of KL in a logit of the student. Where does T enter, and how often?",
            "(q - p) / T, and for a high T q - p is about (z - v) / (K T).",
        ),
        wrong={
            "a": "They are smoother, but how strongly they pull is another matter: look at the gradient's size.",
            "b": "It does not fall out: the inner derivative is 1/T, and the probabilities become even, too.",
            "d": "The divergence falls with T: both sides become even.",
        },
    ),
]
