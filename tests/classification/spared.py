"""Contracts that a network of the table cannot keep as they stand, each with the reason and what is tested instead.

`test_models` holds the table to the contracts and to this list: nothing is left out that is not named here, and nothing
is named here that is tried after all.
"""

from tests.contracts import Contract, examples_do_not_mix, overfits_one_batch

SPARED: dict[str, dict[Contract, str]] = {
    "plain110": {
        overfits_one_batch: "110 plain layers do not learn even four images in 60 steps: the problem that lesson 13 "
        "shows. plain56 keeps the contract, and differs from it in its depth alone.",
    },
    "preact_resnet1001": {
        examples_do_not_mix: "333 untrained blocks add up to outputs of 1e17, and the rounding of float32 grows with "
        "them. `test_examples_do_not_mix_through_1001_layers` asks the same in float64.",
    },
}
