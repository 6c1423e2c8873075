"""`fit` against plain loops, and its doors."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training_helpers import TinyBatches, classify, same_weights, sgd, tiny_model

from crashcourse.errors import CourseError
from crashcourse.training import DivergedError, History, Machine, cosine, fit, one_cycle

CPU = Machine(device="cpu")


def train(model: nn.Module, **options: Any) -> History:
    options = {"epochs": 2, "optimizer": sgd, "machine": CPU, "progress": False, **options}
    return fit(model, options.pop("batches", TinyBatches()), options.pop("step", classify), **options)


def plain_loop(model: nn.Module, batches: TinyBatches, epochs: int) -> None:
    """The loop that lesson 10 writes out."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model.train()
    for epoch in range(epochs):
        for images, labels in batches.epoch(epoch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()


def test_bit_identical_with_a_plain_loop_even_with_dropout_and_batch_norm() -> None:
    """Fails if fit changes the arithmetic, the order of random draws or the mode of the model."""
    plain, fitted = tiny_model(dropout=0.3), tiny_model(dropout=0.3)
    torch.manual_seed(11)
    plain_loop(plain, TinyBatches(), epochs=3)
    torch.manual_seed(11)
    train(fitted, epochs=3)
    assert same_weights(plain, fitted)
    assert not same_weights(fitted, tiny_model(dropout=0.3))


def test_bit_identical_with_schedule_clipping_and_accumulation_written_out() -> None:
    """Fails if the schedule is stepped per epoch, clipping comes after the update, or accumulation sums."""
    plain, fitted = tiny_model(), tiny_model()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.9)
    schedule = one_cycle()(optimizer, 2 * 3)  # 5 batches in groups of 2, 2 and 1
    plain.train()
    for epoch in range(2):
        pending = 0
        for i, (images, labels) in enumerate(TinyBatches().epoch(epoch)):
            if pending == 0:
                optimizer.zero_grad()
            (F.cross_entropy(plain(images), labels) / (2 if i < 4 else 1)).backward()
            pending += 1
            if pending == 2 or i == 4:
                nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
                optimizer.step()
                schedule.step()
                pending = 0
    train(fitted, schedule=one_cycle(), clip_norm=0.5, accumulate=2)
    assert same_weights(plain, fitted)


def test_accumulating_two_halves_is_one_whole_batch() -> None:
    """Fails if accumulated gradients are not the mean over the larger batch."""
    whole, halves = tiny_model(batch_norm=False), tiny_model(batch_norm=False)
    train(whole, batches=TinyBatches(count=2, size=16))
    train(halves, batches=TinyBatches(count=4, size=8), accumulate=2)
    for a, b in zip(whole.parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_history_holds_means_over_samples_and_what_evaluate_measured() -> None:
    """Fails if a small last batch counts as much as a full one, or evaluate sees gradients or training mode."""
    seen: list[tuple[bool, bool]] = []

    class Uneven(TinyBatches):
        def epoch(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
            yield self.images[:6], self.labels[:6]
            yield self.images[6:8], self.labels[6:8]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
        return {"loss": model(batch[0]).sum() * 0 + len(batch[0]), "size": len(batch[0])}

    def evaluate(model: nn.Module) -> dict[str, float]:
        seen.append((model.training, torch.is_grad_enabled()))
        return {"test_accuracy": 0.5}

    history = train(tiny_model(), batches=Uneven(2), step=step, evaluate=evaluate)
    assert history.epochs == [{"loss": 5.0, "size": 5.0, "test_accuracy": 0.5}] * 2
    assert seen == [(False, False)] * 2


def test_leaves_the_callers_own_module_in_evaluation_mode() -> None:
    """Fails if accelerate's wrapping stays behind, which breaks pickling, exporting and a second fit."""
    model = tiny_model()
    names = set(vars(model))
    for precision in ("fp32", "bf16"):
        train(model, machine=Machine(device="cpu", precision=precision))
        assert set(vars(model)) == names
        assert model.forward.__func__ is nn.Sequential.forward
        assert not any(module.training for module in model.modules())


def test_bf16_computes_in_bfloat16_and_still_learns() -> None:
    """Fails if the precision is ignored, or if the loss is no longer float32."""
    seen: list[tuple[torch.dtype, torch.dtype]] = []
    model = tiny_model()
    model[0].register_forward_hook(lambda module, inputs, output: seen.append((output.dtype, module.weight.dtype)))
    history = train(model, epochs=6, machine=Machine(device="cpu", precision="bf16", channels_last=True))
    assert set(seen) == {(torch.bfloat16, torch.float32)}
    assert history.last("loss") < 0.6 * history.epochs[0]["loss"]


def test_dictionaries_and_other_steps_are_batches_too() -> None:
    """Fails if fit knows classification only: here one step trains two networks against each other."""

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maker, self.judge = nn.Linear(2, 64), nn.Linear(64, 1)

    def step(model: Pair, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        real = batch["images"].flatten(1)
        fake = model.maker(real[:, :2])
        judged = F.softplus(-model.judge(real)).mean() + F.softplus(model.judge(fake.detach())).mean()
        weight, bias = model.judge.weight.detach(), model.judge.bias.detach()
        made = F.softplus(-F.linear(fake, weight, bias)).mean()
        return {"loss": judged + made, "judged": judged, "made": made}

    history = train(Pair(), batches=TinyBatches(as_dict=True), step=step, epochs=3)
    assert list(history.epochs[0]) == ["loss", "judged", "made"]
    assert history.curve("judged")[-1] < history.curve("judged")[0]


@pytest.mark.parametrize("stop", ["exception", "signal"])
def test_interrupt_returns_what_was_trained_so_far(stop: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if the stop button raises, loses the finished epochs or leaves no sentence."""
    calls = [0]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        calls[0] += 1
        if calls[0] == 8:
            if stop == "exception":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)
        return classify(model, batch)

    model = tiny_model()
    history = train(model, step=step, epochs=9, progress=True)
    assert history.interrupted
    assert len(history) == 1
    assert not same_weights(model, tiny_model())
    assert capsys.readouterr().out == (
        "Interrupted in epoch 2 of 9, after 2 of 5 batches. The model keeps what it has learned; "
        "the history holds 1 whole epoch.\n"
    )


class Breaks(nn.Module):
    """Passes its input on, until call `at`, when it returns `value`."""

    def __init__(self, at: int, value: float) -> None:
        super().__init__()
        self.at, self.value, self.calls = at, value, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.value if self.calls >= self.at else x


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_lost_loss_names_epoch_batch_and_first_layer(value: float) -> None:
    """Fails if training goes on after NaN, or if a later layer is blamed."""
    model = tiny_model()
    model[2] = Breaks(at=8, value=value)
    statistics = model[1].running_mean
    before: list[Tensor] = []
    model[2].register_forward_pre_hook(lambda module, inputs: before.append(statistics.clone()))
    with pytest.raises(DivergedError, match=r"in epoch 2, batch 3 of 5; the first layer .* '2' \(Breaks\)") as caught:
        train(model, epochs=3)
    assert len(caught.value.history) == 1
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert torch.equal(statistics, before[7])  # the second look left the running statistics alone


def test_a_lost_parameter_a_lost_batch_and_a_lost_loss_are_told_apart() -> None:
    """Fails if the blame falls on a layer when the data, a parameter or the loss itself is at fault."""
    model = tiny_model()
    with torch.no_grad():
        model[5].weight[0, 0] = float("inf")
    with pytest.raises(DivergedError, match=r"such a parameter is '5' \(Linear\), its 'weight'"):
        train(model)
    batches = TinyBatches()
    batches.images[3, 0, 0, 0] = float("nan")
    with pytest.raises(DivergedError, match="the batch itself holds such values"):
        train(tiny_model(), batches=batches)
    with pytest.raises(DivergedError, match="every layer's output is finite, so look at the loss"):
        train(tiny_model(), step=lambda model, batch: {"loss": model(batch[0]).sum() / 0})


def test_a_schedule_may_be_built_or_be_given() -> None:
    """Fails if the total number of updates given to a schedule is wrong."""
    totals: list[int] = []

    def schedule(optimizer: torch.optim.Optimizer, total: int) -> torch.optim.lr_scheduler.LRScheduler:
        totals.append(total)
        return cosine()(optimizer, total)

    train(tiny_model(), epochs=3, accumulate=2, schedule=schedule)
    assert totals == [9]
    model = tiny_model()
    optimizer = sgd(model.parameters())
    train(model, optimizer=optimizer, schedule=torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.5))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.25)


class Lying(TinyBatches):
    def __init__(self, claimed: int) -> None:
        super().__init__()
        self.claimed = claimed

    def __len__(self) -> int:
        return self.claimed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epochs": 0}, "fit(epochs=...) is a whole number, at least 1; got 0"),
        ({"epochs": 2.5}, "got 2.5"),
        ({"epochs": True}, "got True"),
        ({"accumulate": -1}, "fit(accumulate=...)"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": float("nan")}, "clip_norm"),
        ({"batches": [1, 2]}, "batches.epoch(index)"),
        ({"batches": TinyBatches(count=0)}, "nothing to train on"),
        ({"batches": Lying(4)}, "len(batches) is 4, but epoch(0) gives more"),
        ({"batches": Lying(6)}, "len(batches) is 6, but epoch(0) gave 5"),
        ({"step": None}, "step(model, batch)"),
        ({"step": lambda m, b: m(b[0]).mean()}, "a dictionary with a 'loss'; got Tensor"),
        ({"step": lambda m, b: {"cost": 1}}, "got a dictionary with ['cost']"),
        ({"step": lambda m, b: {"loss": 1.0}}, "got float"),
        ({"step": lambda m, b: {"loss": m(b[0])}}, "got shape (8, 2)"),
        ({"step": lambda m, b: {"loss": m(b[0]).mean().detach()}}, "has no gradient"),
        ({"step": lambda m, b: {"loss": m(b[0]).mean(), "odd": "text"}}, "one of them is not"),
        ({"step": lambda m, b: {"loss": m(b[0]).mean(), "odd": m(b[0])}}, "one of them is not"),
        ({"optimizer": "sgd"}, "fit(optimizer=...)"),
        ({"optimizer": lambda p: None}, "got NoneType"),
        ({"optimizer": sgd(nn.Linear(1, 1).parameters())}, "none of this model's parameters"),
        ({"evaluate": lambda m: 0.5}, "a dictionary of numbers; got float"),
        ({"evaluate": lambda m: {"loss": 0.5}}, "both report 'loss'. Rename one, for example 'test_loss'"),
        ({"machine": Machine(device="gpu")}, "got 'gpu'"),
        ({"machine": Machine(device="cpu", precision="fp8")}, "got 'fp8'"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    """Fails if a wrong argument ends in a traceback from inside, or trains in silence."""
    with pytest.raises(CourseError) as caught:
        train(tiny_model(), **change)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("change", [lambda m: 3, lambda m: nn.ReLU(), lambda m: m.requires_grad_(False)])
def test_a_model_without_anything_to_train_is_refused(change: Callable[[nn.Module], Any]) -> None:
    """Fails if fit accepts what it cannot train."""
    with pytest.raises(CourseError, match="fit\\(\\)"):
        train(change(tiny_model()))


@pytest.mark.parametrize("batch", [torch.tensor(1.0), ("a",), (torch.zeros(0, 1, 8, 8), torch.zeros(0).long())])
def test_a_batch_without_samples_is_refused(batch: Any) -> None:
    """Fails if an empty batch turns into NaN, or a batch without tensors into an IndexError."""

    class Odd(TinyBatches):
        def epoch(self, index: int) -> Iterator[Any]:
            yield batch

    def step(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        return {"loss": model(torch.zeros(1, 1, 8, 8)).sum()}

    with pytest.raises(CourseError, match=r"batch.*(first dimension|empty)"):
        train(tiny_model(batch_norm=False), batches=Odd(1), step=step)
