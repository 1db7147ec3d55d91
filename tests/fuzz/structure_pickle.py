"""Pickles by their opcodes, and .npy by what their headers say."""

import pickletools
import random
import re
import struct

from fuzz.structure_json import NUMBERS

Piece = tuple[str, bytes]
"""An opcode's name, and its bytes with its argument's."""
_GLOBALS = (
    *("collections\nOrderedDict", "torch._utils\n_rebuild_tensor_v2", "torch\nSize"),
    *("torch._utils\n_rebuild_parameter", "torch\nFloatStorage", "torch\nBoolStorage"),
    *("os\nsystem", "builtins\neval", "torch\nDoubleStorage", "\n", "\xe9\nx"),
)
_TEXTS = ("", "0", "storage", "cpu", "../../x", "weight_hh_l0", "x" * 2000, "\x00")
_DEEP = (50, 3000, 100_000)
_OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Do something to the opcodes of a pickle."""
    pieces = _pieces(data)
    draw.choice(_WAYS)(pieces, draw)
    return b"".join(piece for _, piece in pieces)


def _pieces(data: bytes) -> list[Piece]:
    found = [(of.name, at) for of, _, at in pickletools.genops(data) if at is not None]
    ends = [at for _, at in found[1:]] + [len(data)]
    return [(name, data[at:end]) for (name, at), end in zip(found, ends, strict=True)]


def _drop(pieces: list[Piece], draw: random.Random) -> None:
    at = draw.randrange(len(pieces))
    del pieces[at : at + draw.choice((1, 1, 3))]


def _again(pieces: list[Piece], draw: random.Random) -> None:
    at = draw.randrange(len(pieces))
    some = pieces[at : at + draw.choice((1, 1, 2, 8))]
    pieces[at:at] = some * draw.choice((1, 1, 2, 5000))


def _swap(pieces: list[Piece], draw: random.Random) -> None:
    at, other = draw.randrange(len(pieces)), draw.randrange(len(pieces))
    pieces[at], pieces[other] = pieces[other], pieces[at]


def _opcode(pieces: list[Piece], draw: random.Random) -> None:
    """Give an argument to another opcode, or put one in between."""
    at = draw.randrange(len(pieces))
    code = draw.choice(_OPCODES)
    name, piece = pieces[at]
    pieces[at : at + draw.randrange(2)] = [(name, code + piece[1:])]


def _argument(pieces: list[Piece], draw: random.Random) -> None:
    """Let a number, a text or a global be another one."""
    whole = [n for n in NUMBERS if isinstance(n, int) and abs(n) < 2**31]
    number = draw.choice(whole)
    text = draw.choice(_TEXTS).encode()
    long = draw.choice((1, 2**40, 2**63, 2**64, 2**2000)).to_bytes(251, "little")
    fits: dict[str, bytes] = {
        "GLOBAL": b"c" + draw.choice(_GLOBALS).encode() + b"\n",
        "BINUNICODE": b"X" + struct.pack("<I", len(text)) + text,
        "BINPUT": b"q" + bytes([draw.randrange(256)]),
        "BINGET": b"h" + bytes([draw.randrange(16)]),
        "LONG_BINPUT": b"r" + struct.pack("<I", draw.choice((0, 2**31, 2**32 - 1))),
        "BININT1": draw.choice(
            (b"J" + struct.pack("<i", number), b"\x8a\xfb" + long, b"G" + bytes(8))
        ),
        "NEWFALSE": draw.choice((b"\x88", b"N", b"}", b"]", b")")),
    }
    places = [at for at, (name, _) in enumerate(pieces) if name in fits]
    at = draw.choice(places or [0])
    pieces[at] = pieces[at][0], fits.get(pieces[at][0], pieces[at][1])


def _nest(pieces: list[Piece], draw: random.Random) -> None:
    """Put lists, tuples or dicts around a value, or a dict into itself."""
    at = draw.randrange(len(pieces))
    deep = draw.choice(_DEEP)
    before, after = draw.choice(
        ((b"(", b"t"), (b"](", b"e"), (b"", b"\x85"), (b"}X\1\0\0\0a", b"s"))
    )
    start, end = ("", before * deep), ("", after * deep)
    into = [("", draw.choice((b"}q\x63X\1\0\0\0ah\x63s", b"]q\x63h\x63a")))]
    pieces[at : at + 1] = draw.choice(([start, pieces[at], end], [*into, pieces[at]]))


_WAYS = (_drop, _again, _swap, _opcode, _argument, _argument, _argument, _nest)

_VALUES = {
    "descr": (
        *("'<f4'", "'<f8'", "'|O'", "'>f4'", "'|V4'", "'<U4'", "[('a', '<f4')]", "'f'"),
        *("1", "None", "'<M8[s]'", "'|b1'", "('<f4', (2, 3))", "'<f4' * 9", "[]"),
    ),
    "fortran_order": ("True", "1", "'x'", "None", "[]", "not 1", "2 ** 2"),
    "shape": (
        *(
            "()",
            "(True, 4, 3)",
            "(2, -1)",
            "(0,)",
            "(2**62, 4)",
            "(4611686018427387904,)",
        ),
        *(
            "(18446744073709551616, 2)",
            "(12.0,)",
            "12",
            "[12]",
            "(12, 1, 1)",
            "(None,)",
        ),
        *(f"({'1, ' * 70})", f"({'0, ' * 3} 9223372036854775807)", "(1, 'a')", "{}"),
        *("(" * 5000, f"{'-' * 5000}1", "(1j,)", "(False,)", "(12, True)", "'12'"),
    ),
}


def npy(data: bytes, draw: random.Random) -> bytes:
    """Let a .npy's header say something else, with its length kept right, mostly."""
    form, start = ("<H", 10) if data[6] == 1 else ("<I", 12)
    size = int.from_bytes(data[8:start], "little")
    header = data[start : start + size].decode("latin-1")
    body = data[start + size :]
    name = draw.choice([*_VALUES, "", "version"])
    if name in _VALUES:
        value = draw.choice(_VALUES[name])
        header = re.sub(
            rf"('{name}': )(\([^)]*\)|[^,]*)", lambda m: m[1] + value, header, count=1
        )
    elif name:
        data = data[:6] + bytes((draw.choice((0, 1, 2, 3, 9)), draw.randrange(3)))
    else:
        header = draw.choice(
            (
                *(header.replace("}", "'shape': (1,)}"), header[1:], "", "1", "{}"),
                *(header.replace("descr", draw.choice(("x", "shape"))), header * 2),
                *("[" * 5000, header + " " * 70_000, header.replace("'", '"')),
            )
        )
    text = header.encode("utf-8", "replace")
    length = draw.choice((len(text),) * 6 + (0, 1, 2**16 - 1, len(text) + len(body)))
    body = draw.choice((body,) * 4 + (body[:-1], body * 2, b""))
    return (
        data[:8]
        + struct.pack(form, length % 256 ** struct.calcsize(form))
        + text
        + body
    )
