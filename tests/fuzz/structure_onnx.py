"""ONNX: mutations of the tree of fields that its messages are."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from onnx import ModelProto

HUGE = (
    *(0, 1, 2, 3, 7, 10, 11, 16, 2**7, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63),
    *(2**64 - 1, 2**64, 2**70),
)
_DEEP = (1, 20, 98, 102, 3000)  # protobuf follows 100
_DIMS, _TYPE, _FLOATS, _RAW, _EXTERNAL, _WHERE = 1, 2, 4, 9, 13, 14  # of a TensorProto
_NODE, _GRAPH = 1, 7  # of a GraphProto, of a ModelProto


class Field:
    """A field: a varint's number, the bytes of what has a length, or a message."""

    def __init__(self, number: int, wire: int, value: Any, kind: Any = None) -> None:
        self.number, self.wire, self.value, self.kind = number, wire, value, kind


class _At(NamedTuple):
    """Where a field stands: the fields of its message, and that message's kind."""

    fields: list[Field]
    index: int
    kind: Any


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Do something to a field of a model."""
    tree = _read(data, ModelProto.DESCRIPTOR)
    draw.choice(_WAYS)(tree, draw)
    return written(tree)


def twice(data: bytes, draw: random.Random) -> bytes:
    """Say twice what a recurrent node reads, which has to be refused."""
    tree = _read(data, ModelProto.DESCRIPTOR)
    graph = next(f.value for f in tree if f.number == _GRAPH)
    tensors = [f for f in graph if f.kind and f.kind.name == "TensorProto"]
    weights = [t for t in tensors if _name(t.value)[:2] in {b"W_", b"R_", b"B_"}]
    tensor = draw.choice(weights)
    other = [Field(f.number, f.wire, f.value, f.kind) for f in tensor.value]
    for field in other:
        if field.number == _RAW:
            field.value = bytes(len(field.value))
    copy = Field(tensor.number, 2, other, tensor.kind)
    way = draw.randrange(4)
    if way == 0:
        graph.insert(draw.randint(0, len(graph)), copy)
    elif way == 1:  # a second kind of numbers in one tensor
        size = sum(len(f.value) for f in tensor.value if f.number == _RAW)
        tensor.value.append(Field(_FLOATS, 2, bytes(size)))
    elif way == 2:  # a Constant of an initializer's name
        graph.insert(draw.randint(0, len(graph)), _constant(_name(tensor.value), copy))
    else:  # a Constant with two values
        graph.remove(tensor)
        graph.insert(0, _constant(_name(tensor.value), tensor, copy))
    return written(tree)


def _constant(name: bytes, *values: Field) -> Field:
    """Make a node of the values, `NodeProto.attribute` of the name `value` each."""
    attributes = [
        Field(5, 2, [Field(1, 2, b"value"), Field(5, 2, v.value), Field(20, 0, 4)])
        for v in values
    ]
    node = [Field(2, 2, name), Field(4, 2, b"Constant"), *attributes]
    return Field(_NODE, 2, node)


def _name(tensor: list[Field]) -> bytes:
    return next((f.value for f in tensor if f.number == 8), b"")


def _read(data: bytes, kind: Any) -> list[Field]:
    """Take a message apart; `kind` says which fields are messages."""
    fields, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            fields.append(Field(number, wire, value))
            continue
        size = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            size, at = _varint(data, at)
        inner, at = data[at : at + size], at + size
        known = kind and kind.fields_by_number.get(number)
        of = known.message_type if known else None
        fields.append(Field(number, wire, _read(inner, of) if of else inner, of))
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        if data[at] < 128:
            return value, at + 1
        at, shift = at + 1, shift + 7


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def written(fields: list[Field]) -> bytes:
    """Give the bytes of a message."""
    out = []
    for field in fields:
        out.append(_number(field.number << 3 | field.wire))
        if field.wire == 0:
            out.append(_number(field.value))
            continue
        value = field.value
        value = written(value) if isinstance(value, list) else value
        out += [_number(len(value)), value] if field.wire == 2 else [value]
    return b"".join(out)


def _all(fields: list[Field], kind: Any = None) -> Iterator[_At]:
    for index, field in enumerate(fields):
        yield _At(fields, index, kind)
        if isinstance(field.value, list):
            yield from _all(field.value, field.kind)


def _one(tree: list[Field], draw: random.Random, kind: str = "") -> _At:
    """Give a field; rare kinds of messages as often as tensors and nodes."""
    places = [at for at in _all(tree) if not kind or (at.kind and at.kind.name == kind)]
    kinds = sorted({at.kind.name if at.kind else "" for at in places})
    chosen = draw.choice(kinds)
    return draw.choice(
        [at for at in places if (at.kind.name if at.kind else "") == chosen]
    )


def _again(tree: list[Field], draw: random.Random) -> None:
    at = _one(tree, draw)
    at.fields[at.index : at.index] = [at.fields[at.index]] * draw.choice((1, 1, 2, 50))


def _drop(tree: list[Field], draw: random.Random) -> None:
    at = _one(tree, draw)
    del at.fields[at.index]


def _move(tree: list[Field], draw: random.Random) -> None:
    """Put a field elsewhere, as it is: into its own message, or into any."""
    at, to = _one(tree, draw), _one(tree, draw)
    field = at.fields[at.index]
    copy = Field(field.number, 2, written(field.value)) if field.kind else field
    to.fields.insert(to.index, copy)


def _swap(tree: list[Field], draw: random.Random) -> None:
    """Let two fields of one meaning have each other's value, names say."""
    at = _one(tree, draw)
    field = at.fields[at.index]
    same = [
        other.fields[other.index]
        for other in _all(tree)
        if other.kind == at.kind and other.fields[other.index].number == field.number
    ]
    other = draw.choice(same)
    field.value, other.value = other.value, field.value
    field.wire, other.wire = other.wire, field.wire


def _value(tree: list[Field], draw: random.Random) -> None:
    at = _one(tree, draw)
    field = at.fields[at.index]
    if field.wire == 0:
        field.value = draw.choice(HUGE)
    elif isinstance(field.value, bytes):
        value = field.value
        field.value = draw.choice(
            (
                *(value[:-1], value + b"\0", value * 2, b"", b"../x", b"\xff\xfe"),
                *(b"LSTM", b"GRU", b"RNN", b"W_0", b"x_0", b"A" * 70_000, value[::-1]),
            )
        )


def _wire(tree: list[Field], draw: random.Random) -> None:
    """Give a field another number or another wire type, with what that takes."""
    at = _one(tree, draw)
    field, wire = at.fields[at.index], draw.choice((0, 1, 2, 3, 4, 5, 6))
    value = written(field.value) if isinstance(field.value, list) else field.value
    raw = value if isinstance(value, bytes) else _number(value)
    sized = {1: raw[:8].ljust(8, b"\0"), 2: raw, 5: raw[:4].ljust(4, b"\0")}
    number = draw.choice((field.number, field.number, 0, 15, 2**29 - 1))
    number = number or draw.randint(1, 20)
    new = Field(number, wire, draw.choice(HUGE) if wire == 0 else sized.get(wire, b""))
    at.fields[at.index] = new


def _tensor(tree: list[Field], draw: random.Random) -> None:
    """Let a tensor's dimensions, dtype, numbers or place be other ones."""
    at = _one(tree, draw, "TensorProto")
    fields = at.fields
    located = [
        Field(_EXTERNAL, 2, [Field(1, 2, b"location"), Field(2, 2, name)])
        for name in (b"/etc/passwd", b"../beside", b"now")
    ]
    kept = [f for f in fields if f.number != _RAW]
    new: list[Field] = draw.choice(
        (
            [*fields, Field(_DIMS, 0, draw.choice(HUGE))],
            [*fields, Field(_TYPE, 0, draw.choice([*range(26), 2**31]))],
            [*fields, Field(_FLOATS, 2, bytes(4 * draw.randrange(100)))],
            [*fields, draw.choice(located), Field(_WHERE, 0, 1)],
            [*kept, draw.choice(located), Field(_WHERE, 0, 1)],
            [*kept, draw.choice(located)],
            [*fields, Field(_WHERE, 0, draw.choice((1, 2)))],
            [f for f in fields if f.number != _DIMS],
            [*kept, Field(_RAW, 2, bytes(draw.choice((0, 1, 4, 1000))))],
        )
    )
    fields[:] = new


def _nest(tree: list[Field], draw: random.Random) -> None:
    """Put the graph into the body of a node, and that again, some times."""
    graph = next((f for f in tree if f.number == _GRAPH), None)
    if graph is None:
        return
    inner = written(graph.value)
    kinds = ((b"If", b"then_branch"), (b"Loop", b"body"), (b"Scan", b"body"))
    for _ in range(draw.choice(_DEEP)):
        operator, body = draw.choice(kinds)
        attribute = [Field(1, 2, body), Field(6, 2, inner), Field(20, 0, 5)]
        node = [Field(4, 2, operator), Field(5, 2, attribute)]
        inner = written([Field(_NODE, 2, node)])
    nested = _read(inner, None)  # what is deep stays bytes
    graph.value = draw.choice((nested, [*graph.value, *nested]))


_WAYS = (
    *(_again, _drop, _move, _swap, _value, _value, _wire, _tensor, _tensor, _tensor),
    _nest,
)
