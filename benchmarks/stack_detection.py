"""Small faults in a trained stack of which the last layer's outputs alone are known.

`python -m benchmarks.stack_detection MODEL AUDIO [OUT] [DRAWS] [OUTCOMES]` reads the
three LSTM layers of Resemblyzer (`pip download --no-deps Resemblyzer==0.1.4`, in it
`resemblyzer/pretrained.pt`) and 16 kHz speech of a .wav (`examples/c++/aepyx.wav` in
the sources of silero-vad 6.2.3), and computes 40 mels of it, as Resemblyzer does. It
changes one element of a bias, or of a kernel, in DRAWS draws each by a hundredth of
itself, on 20 steps and on 160, beside the rounding of PyTorch's own outcome; holds
OUTCOMES right outcomes of all engines that are installed to the spread that somebody's
expected outcome is held to; and prints what fails. What is done is kept in OUT, a
folder, and not done again.
"""

import json
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import certify_steps, reference
from rnn_parity.judge.estimate import FACTOR, Spread, estimates, simulated
from rnn_parity.judge.trajectory import trajectory
from rnn_parity.models.layer import Recurrent
from rnn_parity.models.read import read
from rnn_parity.runs.engine import Runner
from rnn_parity.runs.expected import EXPECTED
from rnn_parity.runs.model_batches import problems_of
from rnn_parity.runs.registry import absence, built_in_backends, known_backends
from rnn_parity.runs.user_arrays import least_accurate
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import Accuracy, Array, Problem
from rnn_parity_core.layers import lower_outputs, one_layer

_ENGINES = (
    *("numpy", "torch", "tensorflow", "jax", "onnxruntime", "openvino", "flax"),
    *("keras:torch", "keras:jax", "torch:compile", "tensorflow:xla"),
)
_BY = np.float32(1.01)
_AT_ONCE = 30  # draws of one batch
_BATCHES = {20: 4, 160: 2}
"""Steps → rows."""


def main(model: Path, audio: Path, out: Path, draws: int, outcomes: int) -> None:
    """Make what is not there yet, and print what all of it comes to."""
    out.mkdir(parents=True, exist_ok=True)
    layer, frames = _network(model, out), _mels(_speech(audio))
    folder = RunFolder(Path(mkdtemp(prefix="rnn-parity-")))
    folder.prepare()
    engines = [n for n in _ENGINES if not absence(known_backends()[n])]
    share = {20: 0.8, 160: 0.2}
    for steps, part in share.items():
        for number in range(-(-int(outcomes * part) // len(engines))):
            _kept(
                out / f"right-{steps}-{number}.json",
                lambda s=steps, n=number: _right(layer, frames, engines, s, n, folder),
            )
    for steps in _BATCHES:
        for kind in ("bias", "kernel"):
            for number in range(-(-draws // _AT_ONCE)):
                _kept(
                    out / f"{kind}-{steps}-{number}.json",
                    lambda k=kind, s=steps, n=number: _drawn(layer, frames, k, s, n),
                )
    _print(out)


def _kept(path: Path, make: Any) -> None:
    if not path.exists():
        path.write_text(json.dumps(make()))


def _network(model: Path, out: Path) -> Recurrent:
    """Read the weights: PyTorch wrote them before its files were zips."""
    import torch  # noqa: PLC0415 - to write them anew

    state = torch.load(model, map_location="cpu", weights_only=True)["model_state"]
    again = out / "resemblyzer.pt"
    torch.save({k: v for k, v in state.items() if k.startswith("lstm")}, again)
    return read(again)


def _speech(path: Path) -> Array:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples / 2.0**15


def _mels(wave: Array) -> Array:
    """Give the power of 40 mels of 25 ms each 10 ms, the volume at -30 dB or above."""
    loud, window = 10 ** (-30 / 20), 400
    wave = np.pad(wave * max(1.0, loud / np.sqrt((wave**2).mean())), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(wave, window)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(frames * hann)) ** 2
    return np.asarray(power @ _filters(window, 40).T, np.float32)


def _filters(window: int, count: int) -> Array:
    """Give triangles that are linear in Hz up to 1 kHz and logarithmic from there."""
    bend = 15  # mels at 1 kHz
    mels = np.linspace(0, bend + np.log(8) * 27 / np.log(6.4), count + 2)
    edges = np.where(mels < bend, mels * 200 / 3, 1e3 * 6.4 ** ((mels - bend) / 27))
    hz = np.fft.rfftfreq(window, 1 / 16e3)
    up = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    height = 2 / (edges[2:] - edges[:-2])
    return np.asarray(np.maximum(0, np.minimum(up, down)) * height[:, None])


def _problem(layer: Recurrent, frames: Array, steps: int, number: int) -> Problem:
    rng = np.random.default_rng([steps, number])
    starts = rng.integers(0, len(frames) - steps, _BATCHES[steps])
    return problems_of(layer, np.stack([frames[a : a + steps] for a in starts]))[0]


def _accuracy(problem: Problem) -> Accuracy:
    """Give what is allowed to an outcome that somebody expects."""
    info = least_accurate(EXPECTED, built_in_backends().values())
    return info.accuracy_for(problem.case)


def _torch(problem: Problem) -> dict[str, Array]:
    """Give PyTorch's outputs, with those of lower layers: its rounding."""
    from rnn_parity_backends.on_torch.adapter import TorchBackend  # noqa: PLC0415

    return dict(TorchBackend().run(problem))


def _chain(
    problem: Problem, changed: str, array: Array, states: dict[str, Array]
) -> Any:
    """Give all layers' outputs with one weight changed, from the exact ones below."""
    first = int(changed.split(".", maxsplit=1)[0].removeprefix("layer"))
    other = Problem(problem.case, {**problem.arrays, changed: array})
    names = [*lower_outputs(problem.case), "outputs"]
    found = {name: states[name] for name in names[:first]}
    reads = problem["inputs"] if first == 0 else states[names[first - 1]]
    for k in range(first, problem.case.layers):
        reads = trajectory(Float64(), one_layer(other, k, reads)).outputs
        found[names[k]] = reads
    return found


def _drawn(
    layer: Recurrent, frames: Array, kind: str, steps: int, number: int
) -> list[Any]:
    """Draw changes of one batch, and see whether each fails."""
    problem = _problem(layer, frames, steps, number)
    accuracy, rng = _accuracy(problem), np.random.default_rng([7, steps, number])
    spread, exact = simulated(problem, accuracy), reference(problem, layers=True)
    own = _torch_layers(problem)
    names = [n for n in problem.case.weight_shapes() if n.endswith(kind)]
    sizes = np.array([problem[n].size for n in names], float)
    changes, outcomes, layers = [], [], []
    for _ in range(_AT_ONCE):
        name = str(rng.choice(names, p=sizes / sizes.sum()))
        array = problem[name].copy()
        at = tuple(int(rng.integers(0, size)) for size in array.shape)
        array[at] *= _BY
        made = _chain(problem, name, array, exact)
        moved = {n: made[n] - exact[n] for n in made}
        wrong = {n: (own[n] + moved[n]).astype("float32") for n in made}
        changes.append(
            [name, at, float(np.abs(moved["outputs"] / _allowed(spread)).max())]
        )
        outcomes.append({"outputs": wrong["outputs"]})
        layers.append(wrong)
    found = estimates(spread, outcomes)
    known = _known(problem, accuracy, own, changes, layers)
    return [
        [*change, of.ratio, of.where, ratio]
        for change, of, ratio in zip(changes, found, known, strict=True)
    ]


def _known(
    problem: Problem,
    accuracy: Accuracy,
    own: dict[str, Array],
    changes: list[Any],
    layers: list[dict[str, Array]],
) -> list[float]:
    """Hold the layer that was changed to its own inputs, by bounds and by estimate."""
    names, found = [*lower_outputs(problem.case), "outputs"], [0.0] * len(changes)
    for k, name in enumerate(names):
        at = [n for n, of in enumerate(changes) if of[0].startswith(f"layer{k}.")]
        part = one_layer(problem, k, own[names[k - 1]] if k else problem["inputs"])
        outcomes = [{"outputs": layers[n][name]} for n in at]
        held = estimates(simulated(part, accuracy), outcomes)
        for n, of in zip(at, held, strict=True):
            wrong = {"outputs": layers[n][name]}
            bound = certify_steps(part, wrong, accuracy).bound_ratio
            found[n] = max(np.inf if of.ratio is None else of.ratio, bound)
    return found


def _torch_layers(problem: Problem) -> dict[str, Array]:
    """Give what PyTorch computes of each layer, one after the other."""
    found, reads = {}, problem["inputs"]
    for k, name in enumerate([*lower_outputs(problem.case), "outputs"]):
        reads = _torch(one_layer(problem, k, reads))["outputs"]
        found[name] = reads
    return found


def _allowed(spread: Spread) -> Array:
    return FACTOR * spread.size["outputs"]


def _right(
    layer: Recurrent,
    frames: Array,
    engines: list[str],
    steps: int,
    number: int,
    folder: RunFolder,
) -> list[Any]:
    """Hold right outcomes of one batch on all engines to the spread."""
    problem = _problem(layer, frames, steps, 1000 + number)
    made, names = [], []
    for name in engines:
        runner = _runner(name, folder)
        entry = runner.entry(problem)
        if entry.status == "done":
            outcome = folder.outcome(name, problem.case.id)
            made.append({"outputs": outcome["outputs"]})
            names.append(name)
    found = estimates(simulated(problem, _accuracy(problem)), made)
    return [[n, of.ratio, of.where] for n, of in zip(names, found, strict=True)]


_RUNNERS: dict[str, Runner] = {}


def _runner(name: str, folder: RunFolder) -> Runner:
    if name not in _RUNNERS:
        info = known_backends()[name]
        _RUNNERS[name] = Runner(info, folder, timeout=300.0)
    return _RUNNERS[name]


def _rows(out: Path, name: str) -> Iterator[list[Any]]:
    for path in sorted(out.glob(f"{name}-*.json")):
        yield from json.loads(path.read_text())


def _print(out: Path) -> None:
    print(
        "| steps | changed by 1e-2 | draws | fail | of elements alone | missed move "
        "outputs by (factor x spread) at most | fail where layers are known |"
    )
    print("| --: | --- | --: | --: | --: | --: | --: |")
    for steps in _BATCHES:
        for kind in ("bias", "kernel"):
            rows = [*_rows(out, f"{kind}-{steps}")]
            if not rows:
                continue
            missed = [r[2] for r in rows if r[3] is not None and r[3] <= 1]
            alone = [r for r in rows if r[4] == "outputs" and r[3] > 1]
            known = sum(r[5] > 1 for r in rows) / len(rows)
            print(
                f"| {steps} | one {kind} element | {len(rows)} | "
                f"{1 - len(missed) / len(rows):.1%} | {len(alone) / len(rows):.1%} | "
                f"{max(missed, default=0):.2f} | {known:.1%} |"
            )
    right = [*_rows(out, "right")]
    worst: dict[str, list[float]] = {}
    for name, ratio, _ in right:
        worst.setdefault(name, []).append(np.inf if ratio is None else ratio)
    failed = sum(r > 1 for of in worst.values() for r in of)
    print(
        f"\n{len(right)} right outcomes: {failed}"
        " fail; worst error / (factor x spread) of each engine:"
    )
    for name, of in worst.items():
        print(f"- {name}: {max(of):.2f} of {len(of)}")


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    main(
        Path(arguments[0]),
        Path(arguments[1]),
        Path(arguments.get(2, "stack-detection")),
        int(arguments.get(3, "300")),
        int(arguments.get(4, "1000")),
    )
    for runner in _RUNNERS.values():
        runner.close()
