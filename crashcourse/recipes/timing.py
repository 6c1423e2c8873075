"""How long a recipe trains until it is good enough: time to accuracy, DAWNBench's measure.

Coleman et al., "DAWNBench: an end-to-end deep learning benchmark and competition", NIPS workshop 2017. **Differs from
the paper:** the test images decide, as in the course's records, and nothing is priced.
"""

from dataclasses import dataclass

from crashcourse.errors import CourseError
from crashcourse.recipes.base import Goal, find, train
from crashcourse.training import History


@dataclass(frozen=True)
class TimeToAccuracy:
    """How long a run trained until its test accuracy first reached a target.

    Attributes:
        reached: whether it did, before its epochs were over. Where it did not, the seconds and epochs are those of the
            whole run, and the true ones are larger.
        seconds: of training, by the clock on the wall. Evaluations are left out: how often one looks is the observer's
            choice, not the trainee's, and whoever looks less would seem faster.
        cpu_seconds: the same training in seconds of the processor. Where other programs share it, this number changes
            less than `seconds`; where training uses several threads, it counts all of them.
        epochs: passes over the training images, with fractions.
        accuracy: on the test images, at the last look.
        curve: (seconds, accuracy) at each look.
        evaluation_seconds: what the looks took.
        compile_seconds: what `torch.compile` took, which is not in `seconds` either; 0 where nothing is compiled.
    """

    reached: bool
    seconds: float
    cpu_seconds: float
    epochs: float
    accuracy: float
    curve: tuple[tuple[float, float], ...]
    evaluation_seconds: float
    compile_seconds: float = 0.0


def time_to_accuracy(
    recipe: str,
    target: float,
    *,
    scale: str = "laptop",
    variant: str | None = None,
    seed: int = 0,
    looks: int = 4,
    progress: bool = False,
) -> TimeToAccuracy:
    """Train a recipe until its accuracy on test images first reaches a target, and say how long that took.

    Args:
        recipe: a recipe that trains a classifier, such as "vgg_garments".
        target: the accuracy to reach, above 0 and below 1.
        scale: "laptop", "study" or "gpu": data, network and the most epochs.
        variant: one of the recipe's variants; its first by default.
        seed: an integer of at least 0.
        looks: how often in an epoch the accuracy is measured; an epoch has at least as many batches.
        progress: show a live line and print one at the end.

    Raises:
        CourseError: an unknown recipe, scale or variant; a target that is not between 0 and 1; looks or a seed that are
            not whole numbers in range; a recipe that trains no classifier.
        DivergedError: the loss became NaN or infinite.
        KeyboardInterrupt: the learner stopped it; half a run has no time.
    """
    if not isinstance(target, int | float) or isinstance(target, bool) or not 0 < target < 1:
        raise CourseError(f"The target is an accuracy above 0 and below 1, such as 0.87; got {target!r}.")
    if not isinstance(looks, int) or isinstance(looks, bool) or looks < 1:
        raise CourseError(f"looks is how often in an epoch accuracy is measured, at least 1; got {looks!r}.")
    find(recipe)
    run = train(recipe, scale=scale, variant=variant, seed=seed, progress=progress, goal=Goal(target, looks))
    if run.history.interrupted:
        raise KeyboardInterrupt
    compile_seconds = run.metrics.get("compile_seconds", 0.0)
    return read_history(run.history, Goal(target, looks), recipe=recipe, compile_seconds=compile_seconds)


def read_history(history: History, goal: Goal, *, recipe: str, compile_seconds: float = 0.0) -> TimeToAccuracy:
    """What the history of a timed run says about its goal.

    Raises:
        CourseError: the run was not timed, so its recipe is not one of classifiers.
    """
    if not history.epochs or not {"seconds", "test_accuracy"} <= set(history.epochs[0]):
        raise CourseError(
            f"{recipe} does not say when it was how accurate, so it has no time to accuracy; choose a recipe that "
            "trains a classifier of garments, such as 'vgg_garments'."
        )
    accuracies = history.curve("test_accuracy")
    return TimeToAccuracy(
        reached=accuracies[-1] >= goal.accuracy,
        seconds=history.last("seconds"),
        cpu_seconds=history.last("cpu_seconds"),
        epochs=len(history) / goal.looks,
        accuracy=accuracies[-1],
        curve=tuple(zip(history.curve("seconds"), accuracies, strict=True)),
        evaluation_seconds=history.last("evaluation_seconds"),
        compile_seconds=compile_seconds,
    )
