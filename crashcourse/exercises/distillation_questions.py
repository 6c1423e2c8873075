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
            "per_cent": ({COLD: (1600 / 21, 400 / 21, 100 / 21)}, "Those are per cent. Probabilities add up to 1."),
            "backwards": ({COLD: (1 / 21, 4 / 21, 16 / 21)}, "The other way round: the largest logit is the first."),
            "warm_for_cold": ({COLD: (4 / 7, 2 / 7, 1 / 7)}, "That is T = 2, the next row."),
            "halved_ratios": (
                {WARM: (8 / 13, 4 / 13, 1 / 13)},
                "Logits are halved, not exponentials: exp(log 16 / 2) = 4.",
            ),
            "halved_probabilities": (
                {WARM: (8 / 21, 2 / 21, 1 / 42)},
                "You halved the probabilities, which no longer add up to 1. Halve the logits.",
            ),
            "root_twice": (
                {WARM: tuple(2**place / (3 + 2**0.5) for place in (1, 0.5, 0))},
                "That is T = 4: you took the root twice. At T = 2 the ratios are 4 to 2 to 1.",
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
            "decimal": ({DIVERGENCE: 0.062066}, "Those are decimal logarithms. Take natural ones."),
            "negative": (
                {DIVERGENCE: -0.14291},
                "A divergence is never negative: it is p / q under the logarithm, not q / p.",
            ),
            "mean_of_terms": ({DIVERGENCE: 0.047638}, "That is the mean over the three classes. The terms add up."),
            "unweighted": (
                {DIVERGENCE: -0.46245},
                "You added up log p / q as it is. Each is weighed with its p first.",
            ),
            "first_term": ({DIVERGENCE: 0.30800}, "That is the first of three terms. The others are negative."),
            "cold_loss": ({LOSS: 1.72435}, "That is four times the divergence at T = 1. Soften both sides first."),
            "other_way_loss": ({LOSS: 0.61660}, "That is 4 · KL(q ‖ p). The teacher's p comes first."),
            "loss_in_bits": ({LOSS: 0.82469}, "That is in bits. Take natural logarithms."),
            "loss_of_cross_entropy": ({LOSS: 4.39445}, "That is 4 · log 3: the entropy of p is not taken off."),
            "loss_divided": ({LOSS: 0.035727}, "You divide by T². Multiply."),
            "times_t": ({LOSS: 0.28581}, "That is T · KL. The factor is T² = 4."),
            "no_factor": ({LOSS: 0.14291}, "The factor T² = 4 is missing."),
            "no_temperature": ({SLOPE: 1 / 3 - 4 / 7}, "That is q - p. The gradient of T² · KL is T (q - p)."),
            "divided_by_temperature": (
                {SLOPE: (1 / 3 - 4 / 7) / 2},
                "That is (q - p) / T, the gradient of KL. T² · KL has T² times as much: T (q - p).",
            ),
            "cold_slope": ({SLOPE: 1 / 3 - 16 / 21}, "That is the gradient at T = 1. At T = 2: T (q - p), p = 4/7."),
            "cold_probabilities": (
                {SLOPE: 2 * (1 / 3 - 16 / 21)},
                "You took p at T = 1. The gradient at T = 2 has the p of T = 2, which is 4/7.",
            ),
            "student_of_zeros": (
                {SLOPE: -8 / 7},
                "You took q = 0. Logits of 0, 0 and 0 are probabilities of 1/3 each.",
            ),
            "third_logit": ({SLOPE: 2 * (1 / 3 - 1 / 7)}, "That is the third logit's. The first has p = 4/7."),
            "slope_of_the_limit": (
                {SLOPE: -0.46210},
                "That is the limit's gradient, the last row. At T = 2: T (q - p).",
            ),
            "uphill_without_temperature": (
                {SLOPE: 4 / 7 - 1 / 3},
                "That is p - q. The gradient is T (q - p): turn the sign, and multiply by T.",
            ),
            "squared_temperature": (
                {SLOPE: 4 * (1 / 3 - 4 / 7)},
                "You multiply by T². A factor of 1/T comes from the logits, which are divided by T: T (q - p) is left.",
            ),
            "uphill": ({SLOPE: 2 * (4 / 7 - 1 / 3)}, "The sign: raising the first logit lowers the loss. q - p."),
            "not_centred": ({LIMIT: 1.60151}, "The teacher's logits have a mean, log 4. Take it off first."),
            "no_half": ({LIMIT: 1.28121}, "The half is missing."),
            "no_mean": ({LIMIT: 1.92181}, "Mean over the three classes, not sum."),
            "no_half_no_mean": (
                {LIMIT: 3.84362},
                "That is the sum of squares. The limit is half of their mean over three classes.",
            ),
            "not_centred_no_half": (
                {LIMIT: 3.20302},
                "The half is missing, and the teacher's logits have a mean, log 4, which is taken off first.",
            ),
            "not_centred_no_mean": (
                {LIMIT: 4.80453},
                "Take off the mean of the teacher's logits, log 4, and take the mean over classes, not the sum.",
            ),
            "one_class_less": ({LIMIT: 0.96091}, "You divide the sum of squares by K - 1 = 2. A mean divides by 3."),
            "divided_twice": ({LIMIT: 0.21354}, "You divide by 3 twice. The mean over the classes does it already."),
            "root": ({LIMIT: 0.56595}, "That is half the root of the mean square. There is no root in the limit."),
            "absolute": ({LIMIT: 0.46210}, "You averaged absolute differences. They are squared."),
            "probabilities": ({LIMIT: 1 / 21}, "You compared probabilities. In the limit it is logits."),
            "infinite": ({LIMIT: float("inf")}, "T² grows without end, but KL goes to 0 as fast: there is a limit."),
            "zero": ({LIMIT: 0.0}, "KL goes to 0, but T² grows as fast: the product has a limit."),
            "slope_not_centred": (
                {LIMIT_SLOPE: -0.92420},
                "Twice too much: the mean of the teacher's logits, log 4, is not taken off, or the loss has no half.",
            ),
            "slope_of_a_sum": ({LIMIT_SLOPE: -1.38629}, "A third of it: the loss is a mean over three classes."),
            "slope_of_logits": (
                {LIMIT_SLOPE: -2.77259},
                "That is z - v as it comes. Take off the mean of v, log 4, and divide by the three classes.",
            ),
            "slope_halved": (
                {LIMIT_SLOPE: -0.23105},
                "Half of it: the square brings a factor of 2, and the half takes it away. (z - v) / K.",
            ),
            "slope_divided_twice": ({LIMIT_SLOPE: -0.15403}, "You divide by K = 3 twice."),
            "slope_at_two": ({LIMIT_SLOPE: 2 * (1 / 3 - 4 / 7)}, "That is T (q - p) at T = 2. The limit: (z - v) / K."),
            "slope_of_probabilities": (
                {LIMIT_SLOPE: 1 / 3},
                "That is the probability that both give at last. The gradient T (q - p) tends to (z - v) / K.",
            ),
            "slope_zero": (
                {LIMIT_SLOPE: 0.0},
                "q - p goes to 0, but T grows: T (q - p) tends to (z - v) / K.",
            ),
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
