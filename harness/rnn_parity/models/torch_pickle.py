"""Pickles of `torch.save`, gone through by hand: tensors and what holds them.

`pickletools` takes a pickle apart and runs nothing. The opcodes that files of tensors
have are followed here on a stack of plain values; any other opcode, and any global but
those of tensors, ends it. Nothing is imported, called or looked up by a file's words.
"""

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rnn_parity_core import FileError

MAX_BYTES = 2**23
"""Of a pickle without the tensors' numbers; one tensor takes some 200."""

_MAX_KEY = 1000  # characters
STORAGES = {
    "torch DoubleStorage": "float64",
    "torch FloatStorage": "float32",
    "torch HalfStorage": "float16",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "int64",
    "torch IntStorage": "int32",
    "torch ShortStorage": "int16",
    "torch CharStorage": "int8",
    "torch ByteStorage": "uint8",
    "torch BoolStorage": "bool",
}
_GLOBALS = {
    *("collections OrderedDict", "torch Size"),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
    *STORAGES,
}


@dataclass(frozen=True)
class Global:
    """A global of Python as a pickle names it: module and name."""

    name: str


Rebuild = Callable[[Any, Any, Any, Any], Any]
"""Persistent ID of a storage, offset, size and strides → a tensor."""


def unpickled(data: bytes, rebuild: Rebuild, origin: str) -> Any:
    """Give what a pickle holds, tensors as `rebuild` makes them.

    Raises:
        FileError: It is broken, too long, or holds anything but tensors, plain values
            and what holds them.

    """
    if len(data) > MAX_BYTES:
        raise FileError(f"{origin}: its pickle has more than {MAX_BYTES} bytes")
    try:
        with warnings.catch_warnings():  # pickletools': of escapes in a file's text
            warnings.simplefilter("ignore", DeprecationWarning)
            return _Stack(rebuild, origin).run(data)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise FileError(f"{origin}: its pickle is broken ({said})") from None


class _Stack:
    """The stack and the memo of a pickle that is gone through."""

    def __init__(self, rebuild: Rebuild, origin: str) -> None:
        self._rebuild, self._origin = rebuild, origin
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """Follow all opcodes."""
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                if self._marks or len(self._stack) != 1:
                    raise ValueError("something is left over")
                return self._stack[0]
            if name in _ARGUMENTS:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name]())
            elif name in _TUPLES:
                self._stack.append(tuple(self.pop(_TUPLES[name])))
            elif name in _STEPS:
                _STEPS[name](self, argument)
            elif name not in {"PROTO", "FRAME"}:
                raise self.refused(f"the opcode {name}")
        raise ValueError("no end")

    def pop(self, count: int) -> list[Any]:
        first = len(self._stack) - count
        if first < (self._marks[-1] if self._marks else 0):
            raise IndexError("the stack is empty")
        taken = self._stack[first:]
        del self._stack[first:]
        return taken

    def pop_mark(self) -> list[Any]:
        first = self._marks.pop()
        taken = self._stack[first:]
        del self._stack[first:]
        return taken

    def mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def tuple(self, _: Any) -> None:
        self._stack.append(tuple(self.pop_mark()))

    def put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def global_(self, name: str) -> None:
        if name not in _GLOBALS:
            raise self.refused(name.replace(" ", "."))
        self._stack.append(Global(name))

    def stack_global(self, _: Any) -> None:
        module, name = self.pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a global without a name")
        self.global_(f"{module} {name}")

    def append(self, values: list[Any]) -> None:
        into = self._stack[-1]
        if not isinstance(into, list):
            raise TypeError("no list to append to")
        into += values

    def set(self, items: list[Any]) -> None:
        into = self._stack[-1]
        if not isinstance(into, dict):
            raise TypeError("no dict to set items of")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Other keys could take for ever to hash.
            if not isinstance(key, str | int) or len(str(key)) > _MAX_KEY:
                raise self.refused(f"a long key, or one that is a {type(key).__name__}")
            into[key] = value

    def persistent(self, _: Any) -> None:
        self._stack.append(_Storage(*self.pop(1)))

    def reduce(self, _: Any) -> None:
        called, arguments = self.pop(2)
        match called, arguments:
            case Global("collections OrderedDict"), ():
                made: Any = {}
            case (
                Global("torch._utils _rebuild_tensor_v2"),
                (_Storage(key), offset, size, strides, *_),
            ):
                made = self._rebuild(key, offset, size, strides)
            case Global("torch._utils _rebuild_parameter"), (data, *_):
                made = data
            case Global("torch Size"), (tuple(size),):
                made = size
            case _:
                raise TypeError("a call that makes no tensor")
        self._stack.append(made)

    def build(self, _: Any) -> None:
        """Leave out the attributes of a state_dict: versions of its modules."""
        self.pop(1)
        if not isinstance(self._stack[-1], dict):
            raise self.refused("an object with a state")

    def refused(self, what: str) -> FileError:
        return FileError(
            f"{self._origin} holds {what[:200]}, which is no tensor, and nothing was "
            "run; save the tensors alone: torch.save(model.state_dict(), FILE)"
        )


@dataclass(frozen=True)
class _Storage:
    """What tensors lie in, by its persistent ID."""

    key: Any


_ARGUMENTS = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"),
    "BINFLOAT",
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS: dict[str, Callable[[_Stack, Any], None]] = {
    "MARK": _Stack.mark,
    "TUPLE": _Stack.tuple,
    "BINPUT": _Stack.put,
    "LONG_BINPUT": _Stack.put,
    "MEMOIZE": _Stack.memoize,
    "BINGET": _Stack.get,
    "LONG_BINGET": _Stack.get,
    "GLOBAL": _Stack.global_,
    "STACK_GLOBAL": _Stack.stack_global,
    "BINPERSID": _Stack.persistent,
    "REDUCE": _Stack.reduce,
    "BUILD": _Stack.build,
    "APPEND": lambda stack, _: stack.append(stack.pop(1)),
    "APPENDS": lambda stack, _: stack.append(stack.pop_mark()),
    "SETITEM": lambda stack, _: stack.set(stack.pop(2)),
    "SETITEMS": lambda stack, _: stack.set(stack.pop_mark()),
}
