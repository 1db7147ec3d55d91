"""JSON, and what safetensors have in it: mutations of its tree, not of its text."""

import json
import random
from collections.abc import Iterator
from typing import Any

NUMBERS = (
    *(0, -1, 1, 2, 3, 255, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64),
    *(10**400, -0.5, 1e308, float("nan"), float("inf"), True),
)
WORDS = (
    *("", "x", "name", "../../x", "/etc/passwd", "\x00", "\ud800", "LSTM", "float64"),
    *("__metadata__", "format", "sigmoid", "keras.layers", "F32", "A" * 70_000),
)
MANY = 20_000
TENSORS = 700_000
"""Of a header that takes a parser many times its size."""
_DEEP = 3000


class Pairs(list[list[Any]]):
    """An object as `[name, value]` each, which may have one name twice."""


def read(data: bytes) -> Any:
    """Give a text's tree."""
    return json.loads(data, object_pairs_hook=lambda p: Pairs(map(list, p)))


def written(tree: Any) -> bytes:
    """Give the text of a tree, objects with one name twice too."""
    # Python's own takes no numbers of over 4300 digits, and no strings of half a pair.
    if isinstance(tree, Pairs):
        inner = (written(str(name)) + b": " + written(value) for name, value in tree)
        return b"{" + b", ".join(inner) + b"}"
    if isinstance(tree, list):
        return b"[" + b", ".join(map(written, tree)) + b"]"
    return tree if isinstance(tree, bytes) else json.dumps(tree).encode()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Do something to a part of a text's tree."""
    tree = read(data)
    draw.choice(_WAYS)(tree, draw)
    return written(tree)


def twice(data: bytes, draw: random.Random) -> bytes:
    """Say something twice, which has to be refused: a name gets another value, too."""
    tree = read(data)
    at = draw.choice([o for o in _all(tree) if isinstance(o, Pairs) and o])
    name, value = draw.choice(at)
    at.insert(draw.randint(0, len(at)), [name, draw.choice([value, None, 1, "x"])])
    return written(tree)


def safetensors(data: bytes, draw: random.Random) -> bytes:
    """Do something to a header, and give its length as it is then, mostly."""
    size = int.from_bytes(data[:8], "little")
    tree, body = read(data[8 : 8 + size]), data[8 + size :]
    kind = draw.randrange(40)
    if kind == 0:
        many = draw.choice((MANY, TENSORS)) if not draw.randrange(8) else MANY
        return _with(b"{" + b",".join(_empty(n) for n in range(many)) + b"}", b"")
    if kind < 20:
        _offsets(tree, len(body), draw)
    else:
        draw.choice(_WAYS)(tree, draw)
    if not draw.randrange(4):
        body = draw.choice((body[:-1], body + b"\0" * 8, body * 2, b""))
    return _with(written(tree), body)


def safetensors_twice(data: bytes, draw: random.Random) -> bytes:
    """Say something twice in a header, which has to be refused."""
    size = int.from_bytes(data[:8], "little")
    return _with(twice(data[8 : 8 + size], draw), data[8 + size :])


def _empty(number: int) -> bytes:
    return b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % number


def _with(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def _offsets(tree: Pairs, size: int, draw: random.Random) -> None:
    """Let tensors overlap, leave gaps, claim other shapes or dtypes."""
    tensors = [value for _, value in tree if isinstance(value, Pairs)]
    for pair in draw.choice(tensors):
        if pair[0] == "data_offsets" and draw.randrange(3):
            places = (0, 4, size - 4, size, size + 4, 2**32, 2**63, 2**64 - 1, -4)
            pair[1] = draw.choice(
                (
                    [draw.choice(places), draw.choice(places)],
                    list(draw.choice(tensors)[-1][1]),
                )
            )
        elif pair[0] == "shape" and draw.randrange(2):
            more = [draw.choice((0, 1, 2, 2**31, 2**62, 2**63, 2**64, -1))]
            pair[1] = draw.choice((more, more * 3, [*pair[1], *more], [1] * 70, []))
        elif pair[0] == "dtype" and draw.randrange(2):
            pair[1] = draw.choice(("F64", "BF16", "I64", "BOOL", "F8_E4M3", "U16", "f"))


def _all(tree: Any) -> Iterator[list[Any]]:
    """Give every object and list; an object's pairs are none."""
    waiting = [tree]
    while waiting:
        at = waiting.pop()
        if isinstance(at, list):
            yield at
            inner = [value for _, value in at] if isinstance(at, Pairs) else at
            waiting += inner


def _place(tree: Any, draw: random.Random) -> tuple[list[Any], int]:
    """Give a list and an index that a value is at."""
    found = []
    for at in _all(tree):
        if isinstance(at, Pairs):
            found += [(pair, 1) for pair in at]
        else:
            found += [(at, index) for index in range(len(at))]
    return draw.choice(found or [([None], 0)])


def _scalar(draw: random.Random) -> Any:
    kind = draw.randrange(6)
    if kind == 0:
        return draw.choice(NUMBERS)
    if kind == 1:
        return draw.choice(WORDS)
    plain = (None, False, Pairs(), [], ["x"], Pairs([["a", 1]]), [[]], {}, "x", 0)
    return draw.choice(plain)


def _replace(tree: Any, draw: random.Random) -> None:
    at, index = _place(tree, draw)
    at[index] = _scalar(draw)


def _move(tree: Any, draw: random.Random) -> None:
    """Put what stands at one place to another, or itself into it."""
    at, index = _place(tree, draw)
    other, there = _place(tree, draw)
    at[index] = read(written(other[there]))


def _drop(tree: Any, draw: random.Random) -> None:
    at = draw.choice([at for at in _all(tree) if at] or [[0]])
    del at[draw.randrange(len(at))]


def _again(tree: Any, draw: random.Random) -> None:
    at = draw.choice([at for at in _all(tree) if at] or [[0]])
    copy = read(written(Pairs([["", draw.choice(at)]])))[0][1]
    copies = draw.choice((1, 1, 2, 200))
    at[:0] = [list(copy) if isinstance(at, Pairs) else copy for _ in range(copies)]


def _rename(tree: Any, draw: random.Random) -> None:
    pairs = [pair for at in _all(tree) if isinstance(at, Pairs) for pair in at]
    if pairs:
        names = [*WORDS, *(name for name, _ in pairs)]
        draw.choice(pairs)[0] = draw.choice(names)


def _nest(tree: Any, draw: random.Random) -> None:
    at, index = _place(tree, draw)
    start, end = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = draw.choice((1, 40, _DEEP, 100_000))
    at[index] = start * deep + written(at[index]) + end * deep


_WAYS = (_replace, _replace, _replace, _move, _drop, _again, _rename, _nest)
