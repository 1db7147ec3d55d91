"""HDF5: mutations within its structures, with their checksums right afterwards.

The format is that of https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html: structures of
version 2 begin with four letters and end in a checksum, older ones have none.
"""

import random
import re
import struct
from functools import lru_cache
from typing import NamedTuple

_SUPERBLOCK = b"\x89HDF\r\n\x1a\n"
CHECKED = (
    *(b"OHDR", b"OCHK", b"BTHD", b"BTLF", b"BTIN", b"FRHP", b"FHDB", b"FHIB", b"EAHD"),
    *(b"FAHD", b"FADB", b"EAIB", b"EASB", b"EADB", b"SMTB", b"SMLI"),
)
_PLAIN = (b"TREE", b"HEAP", b"SNOD", b"GCOL")
_LONGEST = 700
"""Bytes of a structure, where its checksum is looked for if nothing says its size."""
_UNDEFINED = 2**64 - 1
_SIZES = (
    *(0, 1, 2, 3, 7, 8, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1),
    *(2**40, 2**63 - 1, 2**63, _UNDEFINED),
)
_MESSAGES = range(0x19)
"""Types that messages of an object's header have."""


class Structure(NamedTuple):
    """Where one lies, without its checksum; `cleared` counts as zero in that."""

    start: int
    end: int
    checksum: int = 0
    """Where it is; 0: nowhere."""
    cleared: bool = False


def lookup3(data: bytes) -> int:
    """Give Jenkins' checksum, as HDF5 has it (H5checksum.c)."""
    mask, size, at = 2**32 - 1, len(data), 0
    a = b = c = (0xDEADBEEF + size) & mask
    words = struct.unpack(
        f"<{-(-size // 12) * 3}I", data.ljust(-(-size // 12) * 12, b"\0")
    )
    while size > 12:
        a, b, c = (
            a + words[at] & mask,
            b + words[at + 1] & mask,
            c + words[at + 2] & mask,
        )
        for turn in (4, 6, 8, 16, 19, 4):
            a = (a - c) & mask ^ (c << turn | c >> 32 - turn) & mask
            c = c + b & mask
            a, b, c = b, c, a
        size, at = size - 12, at + 3
    if not size:
        return c
    a, b, c = a + words[at] & mask, b + words[at + 1] & mask, c + words[at + 2] & mask
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - (b << turn | b >> 32 - turn)) & mask
        a, b, c = b, c, a
    return b


@lru_cache(64)
def structures(data: bytes) -> tuple[Structure, ...]:
    """Find what a valid file is made of."""
    found = [_first(data)]
    letters = b"|".join((*CHECKED, *_PLAIN))
    for match in re.finditer(letters, data):
        start = match.start()
        if match[0] in _PLAIN:
            size = {b"TREE": 544, b"SNOD": 328, b"HEAP": 32, b"GCOL": 200}[match[0]]
            found.append(Structure(start, min(start + size, len(data))))
        elif match[0] == b"FHDB":
            found += _direct_blocks(data, start)
        elif end := _checked(data, start):
            found.append(Structure(start, end, end))
    return (*found, *_old_headers(data))


def _first(data: bytes) -> Structure:
    """Give the superblock."""
    return Structure(0, 96) if data[8] < 2 else Structure(0, 44, 44)


def _checked(data: bytes, start: int) -> int:
    """Find where a structure ends, and its checksum begins; 0 if it has none."""
    # What leads to a header's next piece says its size behind the address.
    led = data.find(start.to_bytes(8, "little")) + 8
    said = start + int.from_bytes(data[led : led + 8], "little") - 4
    near = range(start + 12, min(start + _LONGEST, len(data) - 4))
    for end in (said, *near) if start < said < len(data) else near:
        if lookup3(data[start:end]) == int.from_bytes(data[end : end + 4], "little"):
            return end
    return 0


def _direct_blocks(data: bytes, start: int) -> list[Structure]:
    """Give a heap's block, whose checksum lies in its head and is of all of it."""
    for place in range(start + 14, start + 22):
        for size in (512, 1024, 2048, 4096, 8192, 2**14, 2**15, 2**16):
            one = Structure(start, start + size, place, cleared=True)
            there = int.from_bytes(data[place : place + 4], "little")
            if one.end <= len(data) and _sum(data, one) == there:
                return [one]
    return []


def _sum(data: bytes, of: Structure) -> int:
    whole = bytearray(data[of.start : of.end])
    if of.cleared:
        whole[of.checksum - of.start : of.checksum - of.start + 4] = bytes(4)
    return lookup3(bytes(whole))


def _old_headers(data: bytes) -> list[Structure]:
    """Find headers of objects of version 1, which have no letters: one link each."""
    found = []
    for match in re.finditer(rb"\x01\0[\x01-\xc8]\0\x01\0\0\0", data[:-16]):
        start = match.start()
        end = start + 16 + int.from_bytes(data[start + 8 : start + 12], "little")
        if start + 24 <= end <= len(data):
            found.append(Structure(start, end))
    return found


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Do something to one to three structures, and make their checksums right, mostly.

    A file that is mutated already is looked at again: what is broken is no structure.
    """
    found, out = structures(data), bytearray(data)
    kinds = sorted({data[one.start : one.start + 4] for one in found})
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        kind = draw.choice(kinds)  # rare ones as often as others
        one = draw.choice([of for of in found if data[of.start : of.start + 4] == kind])
        draw.choice(_WAYS)(out, one, found, draw)
    if draw.randrange(5):
        for of in found:
            place = slice(of.checksum, of.checksum + 4)
            if of.checksum and out[of.start : of.end] != data[of.start : of.end]:
                out[place] = _sum(out, of).to_bytes(4, "little")
    if not draw.randrange(20):
        del out[draw.randrange(len(out)) :]
    return bytes(out)


def _put(out: bytearray, at: int, value: int, wide: int) -> None:
    out[at : at + wide] = (value % 256**wide).to_bytes(wide, "little")


def _within(one: Structure, draw: random.Random, wide: int = 1) -> int:
    """Give a place in a structure, more often near its head."""
    last = max(one.start, one.end - wide)
    near = draw.randrange(2)
    return draw.randint(
        min(one.start + 4, last), min(one.start + 48, last) if near else last
    )


def _flip(
    out: bytearray, one: Structure, _: tuple[Structure, ...], draw: random.Random
) -> None:
    for _ in range(draw.choice((1, 1, 2, 8))):
        out[_within(one, draw)] ^= 1 << draw.randrange(8)


def _size(
    out: bytearray, one: Structure, _: tuple[Structure, ...], draw: random.Random
) -> None:
    wide = draw.choice((1, 2, 4, 8))
    at = _within(one, draw, wide)
    now = int.from_bytes(out[at : at + wide], "little")
    new = draw.choice((*_SIZES, now + 1, now - 1, now * 2, now // 2, len(out)))
    _put(out, at, new, wide)


def _addresses(out: bytearray, one: Structure) -> list[int]:
    """Find numbers that look like addresses in the file."""
    ends = range(one.start + 4, max(one.start + 4, one.end - 8))
    whole = ((at, int.from_bytes(out[at : at + 8], "little")) for at in ends)
    return [at for at, value in whole if 40 <= value < len(out) or value == _UNDEFINED]


def _address(
    out: bytearray, one: Structure, found: tuple[Structure, ...], draw: random.Random
) -> None:
    """Let an address lead elsewhere: to itself, another structure, nowhere."""
    places = _addresses(out, one) or [_within(one, draw, 8)]
    other = draw.choice(found)
    anywhere = draw.randrange(len(out))
    to = (one.start, other.start, other.start, anywhere, len(out), 0, _UNDEFINED, 2**62)
    _put(out, draw.choice(places), draw.choice(to), 8)


def _other(
    out: bytearray, one: Structure, found: tuple[Structure, ...], draw: random.Random
) -> None:
    """Put another structure, of its kind mostly, in a structure's place."""
    kind = out[one.start : one.start + 4]
    same = [of for of in found if out[of.start : of.start + 4] == kind]
    other = draw.choice(same if draw.randrange(3) else found)
    size = min(one.end - one.start, other.end - other.start)
    out[one.start : one.start + size] = out[other.start : other.start + size]


def _message(
    out: bytearray, one: Structure, _: tuple[Structure, ...], draw: random.Random
) -> None:
    """Let a message of an object's header be of another type, size, or flags."""
    old = out[one.start] == 1
    first = {b"OHDR": one.start + 6, b"OCHK": one.start + 4}.get(
        bytes(out[one.start : one.start + 4]), one.start + 16
    )
    if out[one.start : one.start + 4] == b"OHDR":
        flags = out[one.start + 5]
        first += 16 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1) + 2 ** (flags & 3)
    places = []
    head = (2, 2, 4) if old else (1, 2, 1)
    at = first
    while at + sum(head) < one.end:
        places.append(at)
        size = int.from_bytes(out[at + head[0] : at + head[0] + 2], "little")
        at += sum(head) + size
    at = draw.choice(places or [one.start])
    way = draw.randrange(3)
    if way == 0:
        _put(out, at, draw.choice(_MESSAGES), head[0])
    elif way == 1:
        _put(out, at + head[0], draw.choice((0, 1, 8, 2**15, 2**16 - 1, 24, 40)), 2)
    else:
        here = at + sum(head) + draw.randrange(24)
        _put(
            out, here, draw.choice((*_SIZES, draw.randrange(256))), draw.choice((1, 4))
        )


_WAYS = (_flip, _flip, _size, _size, _address, _address, _address, _other, _message)
