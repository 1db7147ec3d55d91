"""What `--help` shows of each command's use; each line works as it stands."""

EXAMPLES = {
    "run": (
        "rnn-parity run",
        "rnn-parity run --cases standard --backends torch,jax",
        "rnn-parity run --cases lstm-dynamic-B3-T7-D4-H5-f32-s1 -v",
        "rnn-parity run --resume parity-report",
    ),
    "sweep": ("rnn-parity sweep random:1000000:7 --backends torch,jax",),
    "verify": (
        "rnn-parity verify encoder.pt",
        "rnn-parity verify encoder.pt --inputs batch.npy --expected outputs.npy",
        "rnn-parity verify encoder.keras --layer lstm --backends all",
    ),
    "convert": ("rnn-parity convert encoder.keras --to torch -o encoder.safetensors",),
    "compare": (
        "rnn-parity compare before after",
        "rnn-parity compare parity-report --between torch,jax",
    ),
    "report": ("rnn-parity report parity-report --format markdown",),
    "graph": ("rnn-parity graph notebook-dynamic-f32 --backends torch,jax",),
    "backends": ("rnn-parity backends --matrix", "rnn-parity backends --format json"),
    "cases": ("rnn-parity cases standard",),
    "download": ("rnn-parity download",),
    "mutation-test": ("rnn-parity mutation-test --cases notebook,standard",),
    "metamorphic": ("rnn-parity metamorphic --backends torch",),
    "measure": ("rnn-parity measure --backends numpy,torch --dtypes float32",),
    "new-backend": ("rnn-parity new-backend acme",),
    "conform": ("rnn-parity conform acme",),
    "new-cell": ("rnn-parity new-cell my_cell",),
    "conform-cell": ("rnn-parity conform-cell lstm",),
}


def epilog(command: str) -> str:
    """Return a command's examples, as click prints them below its options."""
    lines = "\n".join(f"  {line}" for line in EXAMPLES[command])
    return f"\b\nExamples:\n{lines}"
