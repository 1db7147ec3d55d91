"""Zip files: mutations of a member by its own kind, and of what lists the members."""

import io
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

from fuzz import structure_hdf5, structure_json, structure_pickle

Mutator = Callable[[bytes, random.Random], bytes]
Members = list[tuple[str, bytes]]

_BY_NAME: list[tuple[str, list[Mutator]]] = [
    (r"\.json$", [structure_json.mutated]),
    (r"\.h5$", [structure_hdf5.mutated]),
    (r"\.pkl$", [structure_pickle.mutated]),
    (r"\.npy$", [structure_pickle.npy]),
]
_NAMES = (
    *("../x", "/x", "C:\\x", "..\\x", "", "x" * 65_000, "a/data.pkl", "config.json"),
    *("a\0b", "data.pkl", "a/../../x", "inputs.npy", "\N{SNOWMAN}", "a/data/0"),
)
# What begins a record → the places of its numbers, and how wide each is.
_RECORDS: dict[bytes, list[tuple[int, int]]] = {
    b"PK\3\4": [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
    b"PK\1\2": [
        *((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2)),
        *((32, 2), (34, 2), (38, 4), (42, 4)),
    ],
    b"PK\5\6": [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
    b"PK\6\6": [(4, 8), (16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8)],
    b"PK\6\7": [(4, 4), (8, 8), (16, 4)],
}
_SIZES = (
    0,
    1,
    8,
    9,
    12,
    14,
    93,
    99,
    2**15,
    2**16 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
_BOMB = 2**29
"""Bytes that half a MiB unpacks to."""


def members(data: bytes) -> Members:
    """Give all members of a file, twice what is there twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return [(info.filename, file.read(info)) for info in file.infolist()]


def zipped(found: Members, packed: int = zipfile.ZIP_STORED) -> bytes:
    """Write a file, with all checksums right."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", packed) as file:
        warnings.simplefilter("ignore")  # two of one name are meant
        for name, data in found:
            file.writestr(zipfile.ZipInfo(name), data, packed)
    return buffer.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Do something to a member, mostly, else to the records around them."""
    way = draw.choice((_member, _member, _member, _listing, _record, _record))
    return way(data, draw)


def twice(data: bytes, draw: random.Random) -> bytes:
    """Say something twice, which has to be refused: a member, or a config's value."""
    found = members(data)
    named = [at for at, (name, _) in enumerate(found) if name == "config.json"]
    if named and draw.randrange(2):
        name, text = found[named[0]]
        found[named[0]] = name, structure_json.twice(text, draw)
    else:
        name, inner = draw.choice(found)
        found.insert(draw.randint(0, len(found)), (name, draw.choice((inner, b"x"))))
    return zipped(found)


def _member(data: bytes, draw: random.Random) -> bytes:
    """Mutate what is in a member; all around is as it should be."""
    found = members(data)
    known = [
        (at, way)
        for at, (name, _) in enumerate(found)
        for pattern, ways in _BY_NAME
        if re.search(pattern, name)
        for way in ways
    ]
    at, way = draw.choice(known)
    found[at] = found[at][0], way(found[at][1], draw)
    packed = zipfile.ZIP_STORED if draw.randrange(8) else zipfile.ZIP_DEFLATED
    return zipped(found, packed)


def _listing(data: bytes, draw: random.Random) -> bytes:
    """Have members that are lost, there twice, many, of other names, or packed."""
    found = members(data)
    at = draw.randrange(len(found))
    name, inner = found[at]
    way = draw.randrange(7)
    if way == 0:
        del found[at]
    elif way == 1:
        found.append((name, draw.choice((inner, b"", inner[:-1], bytes(len(inner))))))
    elif way == 2:
        found[at] = draw.choice(_NAMES), inner
    elif way == 3:
        found.append((draw.choice(_NAMES), inner))
    elif way == 4:
        found += [
            (f"{name}{number}", b"") for number in range(draw.choice((70, 20_000)))
        ]
    elif way == 5:
        draw.shuffle(found)
    elif not draw.randrange(8):
        return _with_bomb(name)
    packed = (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_BZIP2,
        zipfile.ZIP_LZMA,
    )
    return zipped(found, draw.choice(packed) if way == 6 else packed[0])


def _record(data: bytes, draw: random.Random) -> bytes:
    """Let a number of a record be another one: sizes, offsets, methods, counts."""
    out = bytearray(_zip64(data) if not draw.randrange(4) else data)
    found = [
        (match.start(), place)
        for start, places in _RECORDS.items()
        for match in re.finditer(re.escape(start), out)
        for place in places
        if match.start() + sum(place) <= len(out)
    ]
    here = [record for record, _ in found]
    for _ in range(draw.choice((1, 1, 2, 4))):
        record, (place, wide) = draw.choice(found)
        at = record + place
        now = int.from_bytes(out[at : at + wide], "little")
        new = draw.choice((*_SIZES, now + 1, now - 1, now * 2, *here, len(out)))
        out[at : at + wide] = (new % 256**wide).to_bytes(wide, "little")
    return bytes(out)


def _zip64(data: bytes) -> bytes:
    """Put the end's numbers into a zip64 record, as large files have it."""
    at = data.rindex(b"PK\5\6")
    count, size, start = struct.unpack_from("<HII", data, at + 10)
    record = b"PK\6\6" + struct.pack(
        "<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start
    )
    where = b"PK\6\7" + struct.pack("<IQI", 0, at, 1)
    end = b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0
    )
    return data[:at] + record + where + end


@cache
def _packed_zeros() -> tuple[bytes, int]:
    """Give zeros, packed, and their checksum."""
    packer, chunk = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(2**20)
    packed, checksum = b"", zlib.crc32(_header())
    packed += packer.compress(_header())
    for _ in range(_BOMB // 2**20):
        packed += packer.compress(chunk)
        checksum = zlib.crc32(chunk, checksum)
    return packed + packer.flush(), checksum


def _header() -> bytes:
    text = f"{{'descr': '|b1', 'fortran_order': False, 'shape': ({_BOMB},), }}"
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(padded)) + padded.encode()


def _with_bomb(name: str) -> bytes:
    """Make a file of one member that unpacks to much, all of it as it says."""
    packed, checksum = _packed_zeros()
    sizes = struct.pack("<III", checksum, len(packed), _BOMB + len(_header()))
    label = name.encode()
    common = struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes
    local = b"PK\3\4" + common + struct.pack("<HH", len(label), 0) + label
    entry = b"PK\1\2" + struct.pack("<H", 20) + common
    entry += struct.pack("<HHHHHII", len(label), 0, 0, 0, 0, 0, 0) + label
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + b"PK\5\6" + end
