"""Lesson 15, SENet: the table to fill in and the two questions. Paper: arXiv 1709.01507."""

from functools import cache

import torch

from crashcourse.classification.resnet import resnet50
from crashcourse.classification.senet import SqueezeExcitation, se_resnet50
from crashcourse.exercises.questions import AnswerExercise, ChoiceExercise
from crashcourse.inspection import count_macs, count_parameters, summarize

IMAGE = (3, 224, 224)


@cache
def _table() -> dict[str, tuple[int, ...] | int]:
    """Shapes, parameters and multiplications of the block and of SE-ResNet-50, read from the live modules."""
    with torch.device("meta"):
        network, plain, block = se_resnet50(), resnet50(), SqueezeExcitation(256)
    maps = (256, 56, 56)
    rows = {row.name: row for row in summarize(block, maps)}
    gates = torch.empty(1, *maps, device="meta")
    last = [module for module in network.layer4.modules() if isinstance(module, SqueezeExcitation)]
    return {
        "the means, after the squeeze: shape": tuple(gates.mean((2, 3)).shape[1:]),
        "between the two layers: shape": rows["fc1"].output_shape[:1],
        "output of the block: shape": tuple(block(gates).shape[1:]),
        "the block: parameters": count_parameters(block),
        "the two layers of the block: MACs": count_macs(block, maps),
        "scaling the maps: multiplications": gates.numel(),
        "SE-ResNet-50: blocks with gates": sum(isinstance(m, SqueezeExcitation) for m in network.modules()),
        "all gates of conv5_x, 2048 channels: parameters": sum(map(count_parameters, last)),
        "all gates of SE-ResNet-50: MACs": count_macs(network, IMAGE) - count_macs(plain, IMAGE),
    }


QUESTIONS = [
    ChoiceExercise(
        name="senet.why_sigmoid",
        title="Why each channel has a sigmoid of its own",
        lesson=15,
        question="The last step turns C scores into C gates. Why a sigmoid of each score, and not one softmax of all?",
        options={
            "a": "A softmax of many scores has hardly any gradient, so the layers before it would not learn.",
            "b": "Several channels may matter at once, and with a softmax they would compete.",
            "c": "A sigmoid can amplify a channel that matters, and a softmax can only hold back.",
            "d": "A softmax would make the gates depend on other channels, and they must not.",
        },
        reference="b",
        because=(
            "The gates of an image may all be open, or many. A softmax over 256 channels would leave about 1/256 for "
            "each, and raising one would close the others."
        ),
        hints=(
            "What do the gates of a softmax add up to? What becomes of 256 channels that all matter?",
            "Look at the two lines printed above: what happened to the second gate when the first score rose?",
        ),
        wrong={
            "a": "It has gradients enough; classifiers are trained through it.",
            "c": "A sigmoid stays below 1 as well: it, too, can only hold back.",
            "d": "They do depend on the other channels: through the two dense layers, and that is wanted.",
        },
    ),
    AnswerExercise(
        name="senet.shapes",
        title="Shapes, parameters and MACs of the gates",
        lesson=15,
        question=(
            "First one block with reduction 16 on maps of shape (256, 56, 56), for one image, its dense layers with "
            "biases. Then all of SE-ResNet-50 for a 224×224 image: conv2_x to conv5_x have 3, 4, 6 and 3 bottlenecks, "
            "which give out 256, 512, 1024 and 2048 channels, with a gate for each. MACs: those of the dense layers. "
            "A vector's shape is (C,)."
        ),
        reference=_table,
        because=(
            "The gates are nearly free in MACs, 0.06 % of the network's: they see one number for each channel. In "
            "parameters they are 10 % on top, and more than half of that is in the last stage."
        ),
        hints=(
            "The squeeze leaves one number for each channel. 256 / 16 units stand between the layers.",
            "A dense layer from a to b has a · b weights and b biases, and one MAC for each weight. Scaling multiplies "
            "every number of the maps once.",
            "One block: 2 · 256 · 16 weights. conv5_x: three times 2 · 2048 · 128, and biases. All MACs: "
            "2 C² / 16, for each of the blocks.",
        ),
        wrong={
            "squeezed_too_far": (
                {"the means, after the squeeze: shape": (1,)},
                "The mean runs over the pixels of each channel, not over the channels: 256 numbers are left.",
            ),
            "squeezed_to_units": (
                {"the means, after the squeeze: shape": (16,)},
                "Those are the units between the layers. The squeeze keeps one number for each channel.",
            ),
            "mean_over_channels": (
                {"the means, after the squeeze: shape": (56, 56)},
                "That is a mean over channels, for each pixel. The squeeze is over pixels, for each channel.",
            ),
            "with_pixels": (
                {"the means, after the squeeze: shape": (256, 1, 1)},
                "So it is for 1×1 convolutions. As a vector: (256,).",
            ),
            "ratio_for_units": (
                {"between the two layers: shape": (256,)},
                "The first layer leaves 256 / 16 units.",
            ),
            "squared_ratio": (
                {"between the two layers: shape": (4096,)},
                "You multiplied by 16. The layer between is narrower than the maps, not wider.",
            ),
            "output_is_gates": (
                {"output of the block: shape": (256,)},
                "Those are the gates. The block gives out the maps, scaled: their shape does not change.",
            ),
            "output_is_reduced": (
                {"output of the block: shape": (16, 56, 56)},
                "The reduction is inside the two layers. The maps keep their 256 channels.",
            ),
            "no_biases": (
                {"the block: parameters": 8_192, "all gates of conv5_x, 2048 channels: parameters": 1_572_864},
                "The biases are missing: C / 16 in the first layer, C in the second.",
            ),
            "one_layer": (
                {"the block: parameters": 4_112, "the two layers of the block: MACs": 4_096},
                "That is the first layer alone. The second leads from 16 units back to 256 channels.",
            ),
            "no_reduction": (
                {"the block: parameters": 131_584, "the two layers of the block: MACs": 131_072},
                "That is 256 × 256, twice. Between the layers are only 16 units.",
            ),
            "biases_as_macs": (
                {"the two layers of the block: MACs": 8_464},
                "Those are the parameters. A bias is added, not multiplied: it is no MAC.",
            ),
            "macs_for_each_pixel": (
                {"the two layers of the block: MACs": 25_690_112},
                "The dense layers run once for each image, on the means, not once for each of the 56 · 56 pixels.",
            ),
            "scaling_channels": (
                {"scaling the maps: multiplications": 256},
                "One gate for each channel, but every pixel is multiplied by it: 256 · 56 · 56.",
            ),
            "scaling_pixels": (
                {"scaling the maps: multiplications": 3_136},
                "Those are the pixels of one channel. There are 256 of them.",
            ),
            "gates_for_stages": (
                {"SE-ResNet-50: blocks with gates": 4},
                "Every bottleneck has its gate, not every stage: 3 + 4 + 6 + 3.",
            ),
            "gates_for_layers": (
                {"SE-ResNet-50: blocks with gates": 50},
                "50 counts layers with weights. Every bottleneck has one gate: 3 + 4 + 6 + 3.",
            ),
            "one_last_gate": (
                {"all gates of conv5_x, 2048 channels: parameters": 526_464},
                "That is one block. conv5_x has three.",
            ),
            "width_of_the_3x3": (
                {"all gates of conv5_x, 2048 channels: parameters": 99_936},
                "512 is the width of the 3×3 in conv5_x. The gate sits after the last 1×1: 2048 channels.",
            ),
            "one_gate_a_stage": (
                {"all gates of SE-ResNet-50: MACs": 696_320},
                "You counted one gate for each stage. There are 3, 4, 6 and 3.",
            ),
            "parameters_for_macs": (
                {"all gates of SE-ResNet-50: MACs": 2_530_992},
                "Those are the parameters of the gates, biases included. A bias is no MAC.",
            ),
            "all_layers_once": (
                {"all gates of SE-ResNet-50: MACs": 1_257_472},
                "That is one dense layer in each block. Each has two.",
            ),
        },
    ),
    ChoiceExercise(
        name="senet.constant_gate",
        title="What a constant gate computes",
        lesson=15,
        question=(
            "The weights of an SE block's second layer have become 0; only its biases are left. Then the gates are the "
            "same for every image. What does the block still do, after the BatchNorm that comes before it?"
        ),
        options={
            "a": "Nothing: without weights, what comes out of the block is what went in.",
            "b": "It halves every channel, since a sigmoid gives 1/2 where nothing arrives.",
            "c": "It scales each channel by a fixed number, as the BatchNorm could itself.",
            "d": "It still weighs every channel by the others, through the first layer.",
        },
        reference="c",
        because=(
            "The gates are σ(bias), and BatchNorm ends with a scale and a shift for each channel: multiply both by the "
            "gate, and the block can go. All that SE adds is that the gates depend on the image."
        ),
        hints=(
            "What are the scores when the weights are 0? Does the image enter anywhere?",
            "score = bias, gate = σ(bias): one fixed number for each channel. Which layer before it has such numbers?",
        ),
        wrong={
            "a": "Only gates of 1 do nothing. Here they are σ(bias), between 0 and 1.",
            "b": "Only where the bias is 0: σ(0) = 1/2. The biases are learned.",
            "d": "The units of the first layer meet weights of 0. Nothing of them arrives.",
        },
    ),
]
