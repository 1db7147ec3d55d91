"""What a difference is called: every planted fault's name, told from its numbers."""

import pytest

from backends import on_numpy
from fixtures import catalogue
from fixtures.faults import KINDS, Planted
from harness.judge.diagnose import explain

# Fault → a case that it applies to, and all that would explain the outcome. Where two
# things come to the same, both are named; of a state that no input gave, nothing is.
NAMES: dict[str, dict[str, tuple[str, list[str]]]] = {
    "layout": {
        "LSTM gates read as igfo": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gate order i, g, f, o instead of i, f, g, o"],
        ),
        "LSTM gates read as iofg": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gate order i, o, f, g instead of i, f, g, o"],
        ),
        "LSTM gates read as figo": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gate order f, i, g, o instead of i, f, g, o"],
        ),
        "LSTM gates read as ifog": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gate order i, f, o, g instead of i, f, g, o"],
        ),
        "GRU gates read as zrn": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order z, r, n instead of r, z, n"],
        ),
        "GRU gates read as nrz": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order n, r, z instead of r, z, n"],
        ),
        "GRU gates read as znr": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order z, n, r instead of r, z, n"],
        ),
        "GRU gates read as rnz": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order r, n, z instead of r, z, n"],
        ),
        "gates of the kernel rotated": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gate order f, g, o, i instead of i, f, g, o in the kernel alone"],
        ),
        "gates of the recurrent kernel rotated": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            [
                (
                    "gate order f, g, o, i instead of i, f, g, o in the "
                    "recurrent kernel alone"
                )
            ],
        ),
        "gates of the bias rotated": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order f, g, o, i instead of i, f, g, o in the bias alone"],
        ),
        "gates interleaved": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["gates read as interleaved unit by unit"],
        ),
        "kernel transposed per gate": (
            "gru-dynamic-B3-T5-D4-H4-f32-s1",
            ["kernel transposed"],
        ),
        "kernel in the other memory order": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["kernel in the other memory order"],
        ),
        "recurrent kernel in the other memory order": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent kernel transposed"],
        ),
        "recurrent kernel dropped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent kernel dropped"],
        ),
        "state before inputs": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["rows of kernels [h; x] instead of [x; h]"],
        ),
        "peepholes of i and f swapped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peephole order f, i, o instead of i, f, o"],
        ),
        "peepholes of f and o swapped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peephole order i, o, f instead of i, f, o"],
        ),
        "peepholes rotated": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peephole order o, i, f instead of i, f, o"],
        ),
        "peepholes dropped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peepholes dropped"],
        ),
        "peephole of i for all gates": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peephole of i for all gates"],
        ),
        "projection transposed": (
            "lstm_projection-dynamic-B3-T5-D4-H5-P5-f32-s1",
            ["projection transposed"],
        ),
        "projection in the other memory order": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["projection in the other memory order"],
        ),
        "projection applied twice": (
            "lstm_projection-dynamic-B3-T5-D4-H5-P5-f32-s1",
            ["projection applied twice"],
        ),
        "bias halves swapped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order g, o, i, f instead of i, f, g, o in the bias alone"],
        ),
        "bias doubled": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias added twice"],
        ),
        "bias negated": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias negated"],
        ),
        "bias of the first gate dropped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias of gate i dropped"],
        ),
        "bias of the second gate dropped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias of gate f dropped"],
        ),
        "bias of the third gate dropped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias of gate g dropped"],
        ),
        "bias of the output gate dropped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias of gate o dropped"],
        ),
        "bias of upper layers dropped": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias dropped in upper layers alone"],
        ),
        "bias of the reverse direction dropped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias dropped in the reverse direction alone"],
        ),
        "b_hn folded into b_xn": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent bias b_hn outside of the reset"],
        ),
        "b_xn folded into b_hn": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["bias b_n inside of the reset"],
        ),
        "b_xn and b_hn swapped": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["biases b_n and b_hn swapped"],
        ),
        "b_hn dropped": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent bias dropped"],
        ),
        "b_hn counted in both": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent bias b_hn outside of the reset as well"],
        ),
        "reverse direction shares weights": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["reverse direction shares the forward weights"],
        ),
        "upper layers share the recurrent kernel": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["upper layers share the first layer's recurrent kernel"],
        ),
    },
    "equations": {
        "1 added to the forget gate": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["1 added to the forget gate"],
        ),
        "1 missing from the forget gate": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["1 missing from the forget gate"],
        ),
        "relu instead of tanh": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["relu instead of tanh of the candidate"],
        ),
        "tanh instead of relu": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["tanh instead of relu"],
        ),
        "leaky relu": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["leaky relu of slope 0.0078125 instead of relu"],
        ),
        "activation left out": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["no relu"],
        ),
        "candidate without tanh": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["no tanh"],
        ),
        "sigmoid instead of tanh": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["sigmoid instead of tanh"],
        ),
        "rational tanh": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["rational approximation of tanh"],
        ),
        "hard sigmoid x/6": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["hard sigmoid x / 6 + 0.5 instead of sigmoid"],
        ),
        "hard sigmoid x/5": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["hard sigmoid 0.2 x + 0.5 instead of sigmoid"],
        ),
        "tanh instead of sigmoid": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["tanh instead of sigmoid"],
        ),
        "cell state never forgets": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["forget gate left out"],
        ),
        "input gate left out": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["input gate left out"],
        ),
        "input gate coupled to the forget gate": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["input gate coupled to the forget gate, i = 1 - f"],
        ),
        "input and forget gates swapped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["gate order f, i, g, o instead of i, f, g, o"],
        ),
        "cell state clipped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["cell state clipped at 0.25"],
        ),
        "output without tanh": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            [
                "no tanh of the cell state",
                "tanh cut off linearly at 1 of the cell state",
            ],
        ),
        "output of the old cell state": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["output of the old cell state"],
        ),
        "output gate peeps at the old cell state": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["output gate peeps at the old cell state"],
        ),
        "output gate does not peep": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["peephole of gate o dropped"],
        ),
        "projection dropped": (
            "lstm_projection-dynamic-B3-T5-D4-H5-P5-f32-s1",
            ["projection dropped"],
        ),
        "projection with tanh": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["tanh of the projection"],
        ),
        "z and 1 - z swapped": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["z and 1 - z swapped"],
        ),
        "1 - z left out": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["1 - z left out"],
        ),
        "update gate left out": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["update gate left out"],
        ),
        "reset gate left out": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reset gate left out"],
        ),
        "update gate resets": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["update gate z resets, too"],
        ),
        "reset before instead of after": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reset before the product instead of after it"],
        ),
        "reset after instead of before": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reset after the product instead of before it"],
        ),
        "reset of the inputs' part too": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reset of the inputs' part too"],
        ),
        "reset without the bias": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["recurrent bias b_hn outside of the reset"],
        ),
    },
    "sequence": {
        "lengths one too large": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["lengths one too large"],
        ),
        "lengths one too small": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["lengths one too small, but not 0"],
        ),
        "lengths ignored": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["lengths ignored"],
        ),
        "length 0 taken for full": (
            "lstm-variable_input-B3-T5-D4-H5-zerolength-f32-s1",
            ["length 0 taken for full"],
        ),
        "length 0 gives a zero state": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-zerolength-f32-s1",
            ["final states of rows without a step zero"],
        ),
        "last output instead of state": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["last output in time returned as the final h"],
        ),
        "garbage past the end": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["something else than zeros past the end"],
        ),
        "output repeated past the end": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["last output repeated past the end"],
        ),
        "state runs on over padding": (
            "gru-variable_input-B3-T5-D4-H5-f64-s1",
            ["final states of the last step, padding included"],
        ),
        "reverse outputs not turned back": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reverse outputs in the order of computing"],
        ),
        "reverse pass begins in the padding": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["reverse pass begins in the padding"],
        ),
        "reverse ignored": (
            "rnn_relu-dynamic-B3-T5-D4-H5-reverse-f32-s1",
            ["direction ignored: a forward pass"],
        ),
        "directions swapped": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["outputs of directions swapped"],
        ),
        "final states of directions swapped": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final states of directions swapped"],
        ),
        "final states of layers swapped": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final states of layers in reverse order"],
        ),
        "final states by direction first": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final states by direction, then layer"],
        ),
        "final state of the last layer everywhere": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final states of the last layer and direction everywhere"],
        ),
        "final states' rows rotated": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final states of rows shifted by one"],
        ),
        "outputs of the first layer": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["outputs of the first layer"],
        ),
        "last layer reads the inputs": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["last layer reads the inputs"],
        ),
        "initial h and c swapped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["initial h and c swapped"],
        ),
        "final h and c swapped": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["final h and c swapped"],
        ),
        "initial c dropped": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["initial c dropped"],
        ),
        "initial states of layers swapped": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["initial states of layers in reverse order"],
        ),
        "initial states of directions swapped": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["initial states of directions swapped"],
        ),
        "initial state of the first layer everywhere": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["initial states of the first layer and direction everywhere"],
        ),
        "initial state's rows rotated": (
            "rnn_tanh-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["initial states of rows shifted by one"],
        ),
        "state carried over from the call before": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            [],
        ),
        "inputs' rows rotated": (
            "gru_reset_before-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["rows of inputs shifted by one"],
        ),
        "time-major taken for batch-major": (
            "lstm_projection-dynamic-B5-T5-D4-H5-P2-timemajor-f32-s1",
            ["time-major inputs taken for batch-major"],
        ),
        "time-major memory read as batch-major": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["memory of time-major inputs read as batch-major"],
        ),
        "outputs a step late": (
            "gru-dynamic-B3-T5-D4-H5-f32-s1",
            ["outputs a step late"],
        ),
        "inputs a step late": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["inputs a step late"],
        ),
        "step before the last read twice": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["step before the last read twice"],
        ),
    },
    "precision": {
        "float32 under a float64 label": (
            "rnn_relu-variable_input-B3-T5-D4-H5-f64-s1",
            ["float32 inside"],
        ),
        "bfloat16 weights": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["kernels rounded to bfloat16"],
        ),
        "float16 weights": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["kernels rounded to float16 or TensorFloat-32"],
        ),
        "float32 weights": (
            "rnn_relu-variable_input-B3-T5-D4-H5-f64-s1",
            ["kernels rounded to float32"],
        ),
        "TensorFloat-32 weights": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["kernels rounded to float16 or TensorFloat-32"],
        ),
        "bfloat16 initial state": (
            "rnn_relu-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["initial states rounded to bfloat16"],
        ),
        "bfloat16 outputs": (
            "lstm-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["outputs rounded to bfloat16"],
        ),
        "float16 outputs under the label": (
            "lstm_peephole-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["outputs rounded to float16"],
        ),
        "states rounded to float16": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-L2-bidirectional-f32-s1",
            ["states rounded to float16", "float16 inside"],
        ),
        "states rounded to bfloat16": (
            "gru-variable_input-B3-T5-D4-H5-L2-bidirectional-f32-s1",
            ["states rounded to bfloat16", "bfloat16 inside"],
        ),
        "states rounded to float32": (
            "lstm_projection-variable_input-B3-T5-D4-H5-P2-f64-s1",
            ["states rounded to float32", "float32 inside"],
        ),
        "sigmoid in float32": (
            "gru-variable_input-B3-T5-D4-H5-f64-s1",
            ["float32 somewhere inside"],
        ),
    },
}
SAID_OTHERWISE = {"nan past the end"}  # that something is no number is no convention


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_what_was_done_is_what_is_named_and_nothing_else(kind: str) -> None:
    assert NAMES[kind].keys() == KINDS[kind].keys() - SAID_OTHERWISE
    named = {}
    for name, (case_id, _) in NAMES[kind].items():
        fault, case = KINDS[kind][name], catalogue.case_from_id(case_id)
        assert fault.applies(case), name
        adapter = Planted(inner=on_numpy.INFO.adapter, fault=name)
        problem = catalogue.build(case)
        for _ in range(fault.calls):
            outcome = adapter.run(problem)
        named[name] = explain(problem, outcome, on_numpy.INFO.accuracy(case))
    assert named == {name: words for name, (_, words) in NAMES[kind].items()}


def test_at_least_95_in_100_faults_have_a_name() -> None:
    words = [words for of_kind in NAMES.values() for _, words in of_kind.values()]
    assert sum(map(bool, words)) >= 0.95 * (len(words) + len(SAID_OTHERWISE))
