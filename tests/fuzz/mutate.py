"""Mutations of valid files: bits, bytes, numbers, lengths, pieces; seeded."""

import random
import re
import struct

_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NUMBERS = (
    *(b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"4294967295"),
    *(b"9223372036854775807", b"9223372036854775808", b"18446744073709551616"),
    *(b"1e999", b"-0.0", b"NaN", b"Infinity", b"1" + b"0" * 400, b"9" * 5000),
)
_TOKENS = (
    *(b"null", b"true", b"{}", b"[]", b'""', b'"\\ud800"', b'"\\u0000"', b"../../x"),
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"NUL", b"C:\\x", b"\xef\xbc\x91", b","),
    *(b"[" * 2000, b'{"a":' * 600, b"A" * 70_000),
)
_SIZES = (0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


def mutated(seeds: list[bytes], at: tuple[int, str, int]) -> bytes:
    """Give one of the files with one to four things done to it, the same ones always.

    Args:
        seeds: Valid files.
        at: A seed, the reader's name, and a number.

    """
    draw = random.Random(repr(at))  # noqa: S311 - nobody is to be kept from guessing
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4))):
        draw.choice(_WAYS)(data, seeds, draw)
    return bytes(data)


def _place(data: bytearray, draw: random.Random) -> int:
    """Give a place, more often near either end, where formats keep their sizes."""
    end = len(data)
    near = draw.randrange(3)
    if near == 0:
        return draw.randint(0, min(end, 64))
    return draw.randint(max(0, end - 100), end) if near == 1 else draw.randint(0, end)


def _flip(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    if data:
        data[min(_place(data, draw), len(data) - 1)] ^= 1 << draw.randrange(8)


def _byte(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    if data:
        data[min(_place(data, draw), len(data) - 1)] = draw.randrange(256)


def _cut(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    at = _place(data, draw)
    del data[at : at + draw.choice((1, 4, 16, len(data)))]


def _splice(data: bytearray, seeds: list[bytes], draw: random.Random) -> None:
    other = draw.choice(seeds)
    start, at = draw.randint(0, len(other)), draw.randint(0, len(data))
    size = draw.choice((4, 64, 1024))
    data[at : at + draw.choice((0, size))] = other[start : start + size]


def _number(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    start = _place(data, draw)
    if found := _NUMBER.search(data, start) or _NUMBER.search(data):
        data[found.start() : found.end()] = draw.choice(_NUMBERS)


def _length(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    form = draw.choice(("<H", "<I", "<Q", ">I"))
    room = struct.calcsize(form)
    at = min(_place(data, draw), max(0, len(data) - room))
    data[at : at + room] = struct.pack(form, draw.choice(_SIZES) % 256**room)


def _token(data: bytearray, _: list[bytes], draw: random.Random) -> None:
    at = _place(data, draw)
    data[at : at + draw.choice((0, 0, 1, 8))] = draw.choice(_TOKENS)


def _word(data: bytearray, seeds: list[bytes], draw: random.Random) -> None:
    """Put a quoted word or a JSON object of a file in the place of another one."""
    pattern = draw.choice((rb'"[^"]{0,40}"', rb"\{[^{}]{0,400}\}", rb"\[[^\[\]]*\]"))
    here = [m.span() for m in re.finditer(pattern, data[:20_000])]
    there = re.findall(pattern, draw.choice(seeds)[:20_000])
    if here and there:
        start, end = draw.choice(here)
        data[start:end] = draw.choice(there)


_WAYS = (_flip, _byte, _cut, _splice, _number, _number, _length, _token, _word)
