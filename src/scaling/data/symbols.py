"""Reads the plain values of a Python pickle and executes nothing: a call in it stays a note of what it would have called.

The published Python batches of CIFAR are such files. Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py,
whose ``genops`` splits a file into them without running any. Only the opcodes of plain values, of names and of calls are known
here; any other is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

_MARK: Final = object()
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES: Final = {
    "BININT", "BININT1", "BININT2", "INT", "LONG1", "BINSTRING", "SHORT_BINSTRING", "STRING", "BINUNICODE", "SHORT_BINUNICODE",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_PASSED_OVER: Final = {"PROTO", "FRAME"}


@dataclass
class Symbol:
    """What a pickle would have made by a call: the name of what it calls, the arguments, and the state it is given."""

    name: str
    arguments: Any = ()
    state: Any = None


@dataclass
class _Machine:
    """The stack and the memory of a pickle; ``Symbol`` stands for all that is no plain value."""

    stack: list[Any] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        """Take what lies above the latest mark."""
        at = max(index for index, value in enumerate(self.stack) if value is _MARK)
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def put(self, pairs: list[Any]) -> None:
        """Add keys and values, one after the other, to the dictionary on top."""
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | bytes | int):
                raise ValueError(f"a key of type {type(key).__name__}")
            self.stack[-1][key] = value

    def pair(self) -> list[Any]:
        """Take the two values on top."""
        found = self.stack[-2:]
        del self.stack[-2:]
        return found

    def call(self) -> None:
        """Note a call of what lies below the arguments on top."""
        called, arguments = self.pair()
        if called.name == "_codecs encode" and arguments[1:] == ("latin1",):
            self.stack.append(arguments[0].encode("latin-1"))  # how Python 3 writes bytes for Python 2
        else:
            self.stack.append(Symbol(called.name, arguments))

    def build(self) -> None:
        """Note the state that is given to what lies below it."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Symbol):
            raise ValueError(f"a state for a value of type {type(self.stack[-1]).__name__}")
        self.stack[-1].state = state

    def name_of_two(self) -> None:
        """A name whose module and own part lie on top."""
        self.stack.append(Symbol(" ".join(map(str, self.pair()))))


_STEPS: Final[dict[str, Callable[[_Machine, Any], Any]]] = {
    "MARK": lambda one, _: one.stack.append(_MARK),
    "EMPTY_DICT": lambda one, _: one.stack.append({}),
    "DICT": lambda one, _: (pairs := one.since_mark(), one.stack.append({}), one.put(pairs)),
    "EMPTY_LIST": lambda one, _: one.stack.append([]),
    "LIST": lambda one, _: one.stack.append(one.since_mark()),
    "APPEND": lambda one, _: (value := one.stack.pop(), one.stack[-1].append(value)),
    "APPENDS": lambda one, _: (values := one.since_mark(), one.stack[-1].extend(values)),
    "SETITEM": lambda one, _: one.put(one.pair()),
    "SETITEMS": lambda one, _: one.put(one.since_mark()),
    "TUPLE": lambda one, _: one.stack.append(tuple(one.since_mark())),
    "TUPLE1": lambda one, _: one.stack.append((one.stack.pop(),)),
    "TUPLE2": lambda one, _: one.stack.append(tuple(one.pair())),
    "TUPLE3": lambda one, _: (last := one.stack.pop(), one.stack.append((*one.pair(), last))),
    "BINPUT": lambda one, at: one.memory.__setitem__(at, one.stack[-1]),
    "LONG_BINPUT": lambda one, at: one.memory.__setitem__(at, one.stack[-1]),
    "PUT": lambda one, at: one.memory.__setitem__(at, one.stack[-1]),
    "MEMOIZE": lambda one, _: one.memory.__setitem__(len(one.memory), one.stack[-1]),
    "BINGET": lambda one, at: one.stack.append(one.memory[at]),
    "LONG_BINGET": lambda one, at: one.stack.append(one.memory[at]),
    "GET": lambda one, at: one.stack.append(one.memory[at]),
    "GLOBAL": lambda one, name: one.stack.append(Symbol(name)),
    "STACK_GLOBAL": lambda one, _: one.name_of_two(),
    "REDUCE": lambda one, _: one.call(),
    "BUILD": lambda one, _: one.build(),
}


def read_symbols(content: bytes) -> Any:
    """The value that ``content`` describes: plain values, and a ``Symbol`` for all that a call would have made.

    Raises ValueError for another opcode, or bytes that are no such file.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            name = opcode.name
            if name in _VALUES:
                machine.stack.append(argument)
            elif name in _CONSTANTS:
                machine.stack.append(_CONSTANTS[name])
            elif name == "STOP":
                return machine.stack.pop()
            elif name not in _PASSED_OVER:
                if name not in _STEPS:
                    raise ValueError(f"opcode {name} is of no plain value")
                _STEPS[name](machine, argument)
    except (IndexError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"no whole file of plain values ({type(error).__name__})") from error
    raise ValueError("it ends early")


def array_bytes(value: Any) -> tuple[tuple[int, ...], bytes]:
    """Shape and bytes of an array of bytes that numpy would have made of ``value``. Raises ValueError for anything else."""
    # The state of numpy.ndarray.__setstate__: (version, shape, type, Fortran order, bytes).
    names = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
    if not (isinstance(value, Symbol) and value.name in names and isinstance(value.state, tuple) and len(value.state) == 5):
        raise ValueError("its data are no array")
    _, shape, kind, fortran, content = value.state
    if not (isinstance(kind, Symbol) and kind.name == "numpy dtype" and kind.arguments[:1] in (("u1",), ("uint8",))) or fortran:
        raise ValueError("its data are no array of bytes in C order")
    return tuple(shape), content.encode("latin-1") if isinstance(content, str) else bytes(content)
