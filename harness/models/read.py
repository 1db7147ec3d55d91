"""Which reader a file is for, and what may be opened at all."""

from pathlib import Path

from harness.arrays import unpack
from harness.errors import FileError, unknown_name
from harness.models import canonical, torch_state
from harness.models.layer import Recurrent, Saved, settle
from harness.spec import Array

MAX_BYTES = 2**31


def read(path: Path, layer: str = "", cell: str = "") -> Recurrent:
    """Take the recurrent layer that is named out of a file, or the only one.

    Raises:
        FileError: The file is broken, of an unknown format, or holds several layers.
        UsageError: There is no such layer, or the file does not say which cell it is.

    """
    found = {saved.name: saved for saved in saved_layers(path)}
    if not found:
        raise FileError(f"{path} holds no recurrent layer; expected weight_ih_l0, …")
    if layer and layer not in found:
        raise unknown_name(f"layer of {path}", layer, found)
    if not layer and len(found) > 1:
        listed = "; ".join(
            f"{name} ({' or '.join(of.cells)}, {of.sizes})"
            for name, of in found.items()
        )
        raise FileError(f"{path} holds several layers, name one by --layer: {listed}")
    return settle(found[layer or next(iter(found))], cell)


def saved_layers(path: Path) -> list[Saved]:
    """Find the recurrent layers of a file.

    Raises:
        FileError: The file is broken, or of an unknown format.

    """
    if path.suffix != ".safetensors":
        raise FileError(
            f"{path}: expected a .safetensors file; save one by "
            "safetensors.torch.save_file(model.state_dict(), FILE)"
        )
    arrays, metadata = read_arrays(path)
    if metadata.get("format") == canonical.FORMAT:
        return [canonical.saved(arrays, metadata.get("cell", ""), str(path))]
    return torch_state.saved(arrays, str(path))


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a safetensors file: arrays, and its metadata.

    Raises:
        FileError: It cannot be read, or is too large, or not whole.

    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise FileError(f"{path} has {size} bytes, more than {MAX_BYTES}")
        return unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from None
