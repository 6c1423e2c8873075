"""GoogLeNet against torchvision's, against sums from the paper's table, and under the contracts of every network."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from torch import Tensor, nn

from crashcourse.classification.alexnet import response_normalization
from crashcourse.classification.convolution import conv_macs, conv_parameters
from crashcourse.classification.googlenet import (
    INCEPTIONS,
    BasicConv2d,
    GoogLeNet,
    GoogLeNetOutputs,
    Inception,
    InceptionAux,
    channels_out,
    googlenet,
    local_response_norm,
    loss_with_auxiliary_heads,
    small_googlenet,
)
from crashcourse.errors import CourseError
from crashcourse.inspection import count_macs, count_parameters, summarize
from tests.contracts import CONTRACTS, ModelCase
from tests.oracles import assert_same_names, assert_same_outputs, images
from tests.others import OTHERS


class Summed(nn.Module):
    """A network whose heads are added up in training, so that the contracts, which expect one tensor, see them all."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.network(images)
        return outputs if isinstance(outputs, Tensor) else sum(outputs)


CASES = [
    ModelCase("googlenet", lambda: Summed(GoogLeNet(10)), (3, 3, 32, 32), (3, 10)),
    ModelCase(
        "googlenet_paper", lambda: Summed(GoogLeNet(10, paper=True)), (2, 3, 79, 79), (2, 10), learning_rate=3e-4
    ),
    ModelCase("small_googlenet", small_googlenet, (4, 1, 28, 28), (4, 10)),
    ModelCase(
        "small_googlenet_all",
        lambda: Summed(small_googlenet(head="dense", aux_heads=True, batch_norm=False)),
        (4, 1, 28, 28),
        (4, 10),
    ),
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case, contract):
    contract(case)


def on_meta(**options) -> GoogLeNet:
    with torch.device("meta"):
        return googlenet(**options)


# ---- against torchvision


def test_weights_without_heads_load():
    """Published weights cannot be loaded into a network that will not train."""
    build = partial(torchvision.models.googlenet, init_weights=False, aux_logits=False)
    assert_same_names(partial(googlenet, aux_heads=False), build)


@pytest.mark.parametrize("size", [111, 224])
def test_outputs_equal_torchvisions_at_other_sizes(size):
    """The pooling rounds in another direction, which some sizes show."""
    assert_same_outputs(*OTHERS["googlenet"].pair(), images(size))


def test_training_gives_the_scores_of_three_heads_in_torchvisions_order():
    """The scores of the heads change places: a training loop weighs the wrong one."""
    ours, theirs = (model.train() for model in OTHERS["googlenet"].pair())
    with torch.no_grad():
        assert ours(images(64))._fields == theirs(images(64))._fields


def test_a_fresh_network_starts_like_torchvisions():
    """Initialisation differs: weights of another size, or BatchNorm that does not start as the identity."""
    torch.manual_seed(0)
    for module in googlenet().modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.weight.numel() > 10_000:
            assert float(module.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


# ---- against the paper


def heads(num_classes: int = 1000) -> list[int]:
    """Parameters of the two auxiliary heads, by hand: 1×1 to 128 channels, 4·4·128 to 1024, 1024 to the classes."""
    dense = (2048 + 1) * 1024 + (1024 + 1) * num_classes
    return [(channels + 1) * 128 + dense for channels in (512, 528)]


def test_parameters_equal_the_published_counts():
    """A width, a kernel, a bias or a head differs from the paper or from torchvision."""
    assert heads() == [3_188_840, 3_190_888]
    assert count_parameters(on_meta(aux_heads=False)) == 6_624_904
    assert count_parameters(on_meta()) == 13_004_888
    assert count_parameters(on_meta(aux_heads=False, paper=True)) == 6_998_552
    assert count_parameters(on_meta(paper=True)) == 6_998_552 + sum(heads()) == 13_378_280


def cost_by_hand(channels: int, widths: tuple[int, ...], side: int) -> tuple[int, int]:
    one, reduce3, three, reduce5, five, projection = widths
    pieces = [(channels, one, 1), (channels, reduce3, 1), (reduce3, three, 3)]
    pieces += [(channels, reduce5, 1), (reduce5, five, 5), (channels, projection, 1)]
    macs = sum(conv_macs(ins, outs, kernel, side) for ins, outs, kernel in pieces)
    return sum(conv_parameters(ins, outs, kernel) for ins, outs, kernel in pieces), macs


def test_the_papers_form_equals_the_sum_over_its_table():
    """The network was built otherwise than table 1 says; counts and costs are summed here from the table alone."""
    parameters, macs = conv_parameters(3, 64, 7), conv_macs(3, 64, 7, 112)
    for ins, outs, kernel in ((64, 64, 1), (64, 192, 3)):
        parameters += conv_parameters(ins, outs, kernel)
        macs += conv_macs(ins, outs, kernel, 56)
    channels = 192
    for name, widths in INCEPTIONS.items():
        more, work = cost_by_hand(channels, widths, {"3": 28, "4": 14, "5": 7}[name[0]])
        parameters, macs, channels = parameters + more, macs + work, channels_out(widths)
    network = on_meta(aux_heads=False, paper=True)
    assert channels == 1024
    assert count_parameters(network) == parameters + 1025 * 1000
    assert count_macs(network, (3, 224, 224)) == macs + 1024 * 1000


@pytest.mark.parametrize("paper", [False, True])
def test_shapes_stage_by_stage(paper):
    """The maps have the paper's sizes only at the end, by luck."""
    rows = summarize(on_meta(paper=paper), (3, 224, 224), by="child")
    shapes = {row.name: "×".join(map(str, row.output_shape)) for row in rows}
    assert shapes["conv1"] == "64×112×112"
    assert shapes["maxpool1"] == "64×56×56"
    assert (shapes["conv2"], shapes["conv3"], shapes["maxpool2"]) == ("64×56×56", "192×56×56", "192×28×28")
    modules = [shapes[f"inception{name}"] for name in INCEPTIONS]
    channels = (256, 480, 512, 512, 512, 528, 832, 832, 1024)
    sides = (28, 28, 14, 14, 14, 14, 14, 7, 7)
    assert modules == [f"{channel}×{side}×{side}" for channel, side in zip(channels, sides, strict=True)]
    assert (shapes["maxpool3"], shapes["maxpool4"], shapes["avgpool"]) == ("480×14×14", "832×7×7", "1024×1×1")


def test_the_network_has_22_layers_with_weights():
    """Lesson 12 counts 22: three of the stem, two for each of nine modules, one dense."""
    modules = dict(on_meta(aux_heads=False).named_children())
    convolutions = sum(name.startswith("conv") for name in modules)
    assert convolutions + 2 * sum(name.startswith("inception") for name in modules) + 1 == 22


def test_kernels_and_normalisation_of_the_two_forms():
    """The default form lost torchvision's 3×3, or the paper's form has BatchNorm or lacks response normalisation."""
    ours, paper = on_meta(), on_meta(paper=True)
    assert {ours.get_submodule(f"inception{name}.branch3.1.conv").kernel_size for name in INCEPTIONS} == {(3, 3)}
    assert {paper.get_submodule(f"inception{name}.branch3.1.conv").kernel_size for name in INCEPTIONS} == {(5, 5)}
    assert not any(isinstance(module, nn.BatchNorm2d) for module in paper.modules())
    assert sum(isinstance(module, nn.LocalResponseNorm) for module in paper.modules()) == 2
    assert (ours.dropout.p, paper.dropout.p, ours.aux1.dropout.p, paper.aux2.dropout.p) == (0.2, 0.4, 0.7, 0.7)
    assert paper.maxpool4.kernel_size == 3


def test_the_papers_heads_average_5x5_squares_with_stride_3():
    """At 14×14 the head averages other squares than the paper's, and its 4×4 values mean something else."""
    torch.manual_seed(0)
    head, maps = InceptionAux(3, 5, batch_norm=False, paper=True).eval(), torch.randn(2, 3, 14, 14)
    squares = torch.stack(
        [maps[:, :, r : r + 5, c : c + 5].mean((2, 3)) for r in (0, 3, 6, 9) for c in (0, 3, 6, 9)], -1
    )
    hidden = head.conv(squares.unflatten(-1, (4, 4))).flatten(1)
    torch.testing.assert_close(head(maps), head.fc2(head.fc1(hidden).relu()))
    assert head(torch.randn(2, 3, 16, 20)).shape == (2, 5)


def test_an_inception_module_concatenates_its_four_paths_in_order():
    """A path is lost, comes in another place, or works on what another path made."""
    torch.manual_seed(0)
    module, maps = Inception(BasicConv2d, 6, (2, 3, 4, 1, 5, 7)), torch.randn(2, 6, 9, 8)
    conv = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size[0] for layer in conv] == [1, 1, 3, 1, 5, 1]
    expected = [
        conv[0](maps).relu(),
        conv[2](conv[1](maps).relu()).relu(),
        conv[4](conv[3](maps).relu()).relu(),
        conv[5](F.max_pool2d(maps, 3, 1, 1)).relu(),
    ]
    assert [path.shape[1] for path in expected] == [2, 4, 5, 7]
    torch.testing.assert_close(module(maps), torch.cat(expected, 1))


def test_response_norm_equals_the_formula_torchs_and_the_networks():
    """The sum leaves the window, wraps around, or α is divided by n as in PyTorch."""
    maps = 100 * torch.randn(2, 9, 3, 2, generator=torch.Generator().manual_seed(0))
    for channel in range(9):
        near = maps[:, max(0, channel - 2) : channel + 3]
        expected = maps[:, channel] / (2 + 1e-4 * near.square().sum(1)) ** 0.75
        torch.testing.assert_close(local_response_norm(maps)[:, channel], expected)
    torch.testing.assert_close(response_normalization()(maps), local_response_norm(maps))
    other = F.local_response_norm(maps, 3, 3 * 1e-3, 0.5, 1.0)
    torch.testing.assert_close(local_response_norm(maps, size=3, alpha=1e-3, beta=0.5, k=1.0), other)
    assert local_response_norm(maps[:, :1]).shape == (2, 1, 3, 2)
    by_hand = local_response_norm(torch.full((1, 5, 1, 1), 50.0))[0, 2].item()
    assert by_hand == pytest.approx(50 / (2 + 5 * 0.25) ** 0.75)


def test_the_loss_adds_a_share_of_every_head():
    """A head counts fully, twice, or not at all; in evaluation, without heads, the loss is plain cross-entropy."""
    uniform, labels = torch.zeros(2, 4), torch.tensor([0, 3])
    sure = torch.tensor([[50.0, 0, 0, 0], [0, 0, 0, 50.0]])
    nats = torch.tensor(4.0).log()
    torch.testing.assert_close(loss_with_auxiliary_heads(uniform, [], labels), nats)
    torch.testing.assert_close(loss_with_auxiliary_heads(sure, [uniform, uniform], labels), 0.6 * nats)
    torch.testing.assert_close(loss_with_auxiliary_heads(uniform, (sure, uniform), labels, weight=0.5), 1.5 * nats)


def test_heads_answer_in_training_only():
    """A tuple reaches a caller who evaluates, or a network without heads returns one."""
    for build in (
        lambda aux: GoogLeNet(3, aux_heads=aux),
        lambda aux: small_googlenet(3, in_channels=3, aux_heads=aux),
    ):
        batch = images(32)
        outputs = build(True).train()(batch)
        assert isinstance(outputs, GoogLeNetOutputs)
        assert [scores.shape for scores in outputs] == [(2, 3)] * 3
        assert build(True).eval()(batch).shape == build(False).train()(batch).shape == (2, 3)


# ---- the small network, and the doors


def test_small_googlenet_keeps_the_pattern():
    """The laptop network is no GoogLeNet any more: maps halve, modules double, and the mean of each map ends it."""
    rows = {row.name: row.output_shape for row in summarize(small_googlenet(), (1, 28, 28), by="child")}
    assert [rows[f"inception{place}"] for place in (1, 2, 3, 4)] == [(64, 14, 14)] * 2 + [(128, 7, 7)] * 2
    assert rows["avgpool"] == (128, 1, 1)
    average, dense = count_parameters(small_googlenet()), count_parameters(small_googlenet(head="dense"))
    assert dense - average == (128 * 7 * 7 + 1) * 128


LEAST = [
    ({"aux_heads": False}, 15),
    ({"aux_heads": True}, 15),
    ({"aux_heads": False, "paper": True}, 31),
    ({"aux_heads": True, "paper": True}, 79),
]


@pytest.mark.parametrize(("options", "least"), LEAST)
def test_the_least_size_is_the_least_size(options, least):
    """The sentence names a size that fails in training, or refuses one that works."""
    network = on_meta(num_classes=2, **options).train()
    network(torch.empty(2, 3, least, least, device="meta"))
    with pytest.raises(CourseError, match=f"at least {least}"):
        network(torch.empty(2, 3, least, least - 1, device="meta"))
    network.least = 1
    with pytest.raises(RuntimeError):
        network(torch.empty(2, 3, least - 1, least - 1, device="meta"))


def test_the_least_size_of_the_small_network():
    """As above, for the network of the lesson."""
    assert small_googlenet(2).eval()(torch.zeros(1, 1, 4, 5)).shape == (1, 2)
    with pytest.raises(CourseError, match="at least 4"):
        small_googlenet(2).eval()(torch.zeros(1, 1, 3, 4))


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (torch.zeros(3, 32, 32), r"images\[None\]"),
        (torch.zeros(2, 1, 32, 32), "with 1 channels"),
        (torch.zeros(2, 32, 32, 3), r"permute\(0, 3, 1, 2\)"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "/ 255"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.float64), r"images.float\(\)"),
        ("a cat", "str"),
    ],
)
def test_bad_images_are_refused_with_a_sentence(batch, words):
    """A learner's slip ends in a stack trace from inside PyTorch."""
    for network in (GoogLeNet(2, aux_heads=False), small_googlenet(2, in_channels=3)):
        with pytest.raises(CourseError, match=words):
            network(batch)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: googlenet(0), "num_classes"),
        (lambda: googlenet(True), "num_classes"),
        (lambda: small_googlenet("10"), "num_classes"),
        (lambda: small_googlenet(head="averge"), "Did you mean 'average'"),
        (lambda: small_googlenet(width=6), "multiple of 4"),
        (lambda: small_googlenet(width=0), "multiple of 4"),
        (lambda: small_googlenet(in_channels=0), "at least 1"),
        (lambda: local_response_norm(torch.zeros(1, 4, 1, 1), size=4), "must be odd"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(call, words):
    """A network of another form than asked for is built."""
    with pytest.raises(ValueError, match=words):
        call()


def test_the_recipes_step_counts_the_heads_in_the_loss_only():
    """Heads do not teach, or the reported accuracy is a head's and not the network's."""
    from crashcourse.recipes.googlenet import classify_with_heads

    torch.manual_seed(0)
    labels, own = torch.tensor([0, 1, 1]), torch.tensor([[9.0, 0], [0, 9.0], [9.0, 0]])
    batch = (torch.zeros(3), labels)
    alone = classify_with_heads(lambda images: own, batch)
    helped = classify_with_heads(lambda images: GoogLeNetOutputs(own, -own, torch.zeros(3, 2)), batch)
    assert alone["accuracy"] == helped["accuracy"] == pytest.approx(2 / 3)
    assert alone["loss"] == pytest.approx(float(F.cross_entropy(own, labels)))
    assert helped["loss"] == pytest.approx(float(loss_with_auxiliary_heads(own, [-own, torch.zeros(3, 2)], labels)))
