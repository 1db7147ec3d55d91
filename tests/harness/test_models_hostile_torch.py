"""Files made to harm: each refused in one line, nothing run, little read."""

import os
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hostile import torch_zip, zipped

Cli = Callable[..., tuple[int, str, str]]
Refused = Callable[[bytes, str, str], str]


class Runs:
    """What a pickle of it would do if it were loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def number(n: int) -> bytes:
    data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def word(text: str) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text.encode()


def tensor(
    size: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int = 0,
    count: int = 4,
    key: str = "0",
    storage: str = "torch\nFloatStorage",
) -> bytes:
    """Pickle a dict of one tensor as torch.save does; its storage has 4 elements."""
    kept = b"(" + word("storage") + f"c{storage}\n".encode() + word(key) + word("cpu")
    axes = [b"(" + b"".join(map(number, of)) + b"t" for of in (size, strides)]
    call = b"(" + kept + number(count) + b"tQ" + number(offset) + b"".join(axes)
    start = b"\x80\x02}" + word("weight_hh_l0") + b"ctorch._utils\n_rebuild_tensor_v2\n"
    return start + call + b"\x89NtRs."


PAYLOADS = {
    "system": Runs(),
    "nested": {"state_dict": {"weight": Runs()}},
    "state": {"epoch": 3, "hooks": [{"deep": (Runs(),)}]},
    "key": {("a",): 1},
    "class": {"epoch": Path},
    "array": {"a": np.zeros(3)},
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_pickle_of_other_things_than_tensors_is_not_run(
    kind: str, protocol: int, refused: Refused
) -> None:
    data = torch_zip(pickle.dumps(PAYLOADS[kind], protocol))
    refused(data, "m.pt", "which is no tensor, and nothing was run")
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("words", "pickled"),
    [
        ("leaves its storage", tensor((2, 2), (9, 1))),
        ("leaves its storage", tensor((2,), (1,), offset=3)),
        ("claims to lie in storage", tensor((2**39,), (0,))),
        ("claims to lie in storage", tensor((5,), (0,))),
        ("claims to lie in storage", tensor((1,), (1,), offset=2**39)),
        ("sizes that are no numbers", tensor((2**70,), (1,))),
        ("sizes that are no numbers", tensor((-1,), (1,))),
        ("sizes that are no numbers", tensor((1,), (-1,))),
        ("sizes that are no numbers", tensor((1,) * 60, (1,) * 60)),
        ("sizes that are no numbers", tensor((1,), (1,), offset=-4)),
        ("has 16 bytes, expected 8000000000", tensor((1,), (1,), count=8 * 10**9)),
        ("a tensor has no storage", tensor((1,), (1,), count=-1)),
        ("a tensor has no storage", tensor((1,), (1,), key="../../etc/passwd")),
        ("has no member 'a/data/7'", tensor((1,), (1,), key="7")),
        ("holds torch.Tensor", tensor((1,), (1,), storage="torch\nTensor")),
        ("its pickle is broken", tensor((1,), (1,))[:-30]),
        ("its pickle is broken", b"."),
        ("its pickle is broken", b"\x80\x02(" + b"(" * 50_000 + b"t."),
        # What the standard library's unpickler would take 32 GiB for.
        ("holds no recurrent layer", b"\x80\x02}r\xff\xff\xff\xff."),
        ("an object with a state", b"\x80\x02]}b."),
        ("the opcode INST", b"(ios\nsystem\n."),
        ("the opcode NEWOBJ", b"\x80\x02ccollections\nOrderedDict\n)\x81."),
        ("the opcode EXT1", b"\x80\x02\x82\x01."),
        ("one that is a tuple", b"\x80\x02}" + b")" + b"\x85" * 9 + b"Ns."),
        ("has more than", b"\x80\x02" + b"N0" * 2**22 + b"N."),
    ],
)  # fmt: skip
def test_a_tensor_that_its_file_does_not_hold_is_refused(
    words: str, pickled: bytes, refused: Refused
) -> None:
    refused(torch_zip(pickled, **{"data/0": bytes(16)}), "m.pt", words)


def test_two_tensors_of_one_name_are_refused(refused: Refused) -> None:
    nested = tensor((1,), (1,))[2:-1]  # {"weight_hh_l0": …}
    value = nested[1 + len(word("weight_hh_l0")) : -1]
    pickled = (
        b"\x80\x02}(" + word("a.weight_hh_l0") + value + word("a") + nested + b"u."
    )
    data = torch_zip(pickled, **{"data/0": bytes(16)})
    refused(data, "m.pt", "two tensors of the name 'a.weight_hh_l0'")


@pytest.mark.parametrize(
    ("words", "pickled"),
    [
        ("has dicts over 32 deep", b"}" + (word("a") + b"}") * 10**5 + b"s" * 10**5),
        ("holds a long key", b"}" + word("a" * 1001) + b"Ns"),
        ("holds no recurrent layer", b"}q\0" + word("a") + b"h\0s"),  # in itself
    ],
)
def test_dicts_without_end_are_refused(
    words: str, pickled: bytes, refused: Refused
) -> None:
    refused(torch_zip(b"\x80\x02" + pickled + b"."), "m.pt", words)


def overlapping() -> bytes:
    """Make a zip whose members are all the same bytes of it."""
    data = zipped({f"a/{n}": bytes(10**5 if n == 0 else 0) for n in range(50)})
    at = data.index(b"PK\1\2")
    central = data[at:]
    parts = central.split(b"PK\1\2")[1:]
    first = parts[0]
    parts = [first] + [first[:8] + p[8:12] + first[12:24] + p[24:] for p in parts[1:]]
    return data[:at] + b"".join(b"PK\1\2" + part for part in parts)


@pytest.mark.parametrize("name", ["m.pt", "m.keras"])
@pytest.mark.parametrize(
    ("words", "data"),
    [
        (
            "is compressed",
            zipped({"a/data.pkl": bytes(10**9 // 8)}, zipfile.ZIP_DEFLATED),
        ),
        ("leads out of the file", zipped({"../x": b"1"})),
        ("leads out of the file", zipped({"a/../../x": b"1"})),
        ("leads out of the file", zipped({"/etc/x": b"1"})),
        ("leads out of the file", zipped({"a\\..\\x": b"1"})),
        ("bytes in its members", overlapping()),
        ("not a whole zip file", zipped({"a/data.pkl": bytes(999)})[:-9]),
        ("not a whole zip file", zipped({"a/data.pkl": bytes(999)})[:500]),
    ],
)
def test_a_zip_that_would_grow_leave_or_break_is_refused(
    words: str, data: bytes, name: str, refused: Refused
) -> None:
    refused(data, name, words)


def test_a_zip_with_two_members_of_one_name_is_refused(refused: Refused) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped_twice()
    refused(data, "m.pt", "two members of one name")


def zipped_twice() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a/data.pkl", b"1")
        file.writestr("a/data.pkl", b"2")
    return buffer.getvalue()


@pytest.mark.parametrize("data", [pickle.dumps({"a": 1}, 2), b"", b"\x80\x02\x8a\n"])
def test_the_format_before_zip_is_refused_with_what_to_do(
    data: bytes, refused: Refused
) -> None:
    refused(data, "m.pt", "save it again there: torch.save(model.state_dict(), FILE)")
