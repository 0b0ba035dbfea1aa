"""Pickled NumPy arrays, read without trusting them.

The field's files (`segments.npy`, one array of features a video in one .npy) are object arrays,
which NumPy stores as a pickle; and a pickle is a program. This reader runs the few steps that such
arrays need and refuses every other one before it acts.
"""

import os
import pickle
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facnet.errors import FacnetError

DEPTH = 3  # videos, their segments, start and end
_PLAIN = re.compile(r"[|<=]?(O8?|f[248]|[iu][1248]|b1|[SU]\d{1,6})")


def read_array(path: Path) -> np.ndarray:
    """The array in an .npy file, pickled or not, with at least one dimension.

    Arrays of numbers that lie pickled inside are not copied: memory grows to about the file's size.

    Raises
    ------
    FacnetError
        If the file cannot be read, is damaged, or asks for anything but arrays, lists, strings and
        numbers.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0,
                           (2, 0): np.lib.format.read_array_header_2_0}[version]
            if read_header(file)[2].hasobject:
                array = _ArrayUnpickler(_Bounded(file), encoding="bytes").load()
            else:
                array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise pickle.UnpicklingError(f"it holds a {type(array).__name__}")
    except OSError as error:
        reason = error.strerror or str(error)
        raise FacnetError(f"{path}: cannot be read ({reason}).") from error
    except Exception as error:  # a damaged file raises almost anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise FacnetError(f"{path}: refused; it is damaged or holds more than arrays, lists,"
                          f" strings and numbers ({reason}).") from error
    return array if array.ndim else array.reshape(1)


def _empty(kind: object, shape: object, code: object) -> np.ndarray:
    """The blank that `_set_array` fills; the arguments never vary in what numpy writes."""
    return np.empty(0)


def _dtype(name: object, *flags: object) -> np.dtype:
    name = name.decode("ascii") if isinstance(name, bytes) else name
    if not (isinstance(name, str) and _PLAIN.fullmatch(name)):
        raise pickle.UnpicklingError(f"it holds elements of type {name!r}")
    return np.dtype(name)


def _scalar(dtype: np.dtype, data: object) -> object:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("it holds a scalar that is no number and no string")
    return np.frombuffer(_bytes(data), dtype, count=1)[0] if dtype.itemsize else dtype.type()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes in the protocol of Python 2."""
    if _text(encoding) != "latin1":
        raise pickle.UnpicklingError(f"it encodes bytes as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How Python 3 writes b"" in that protocol."""
    return b""


def _text(value: object) -> object:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _bytes(value: object) -> bytes:
    return value.encode("latin1") if isinstance(value, str) else value


def _set_array(array: np.ndarray, state: object) -> None:
    """Fill a blank array with (version, shape, dtype, Fortran order, data), checked first."""
    if not (isinstance(state, tuple) and len(state) == 5):
        raise pickle.UnpicklingError("an array's state is malformed")
    _, shape, dtype, fortran, data = state
    sizes = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if not sizes or not isinstance(dtype, np.dtype):
        raise pickle.UnpicklingError("an array's shape or type is malformed")
    count = 1
    for n in shape:
        count *= n
    data = data if dtype.hasobject else _bytes(data)
    if dtype.hasobject:
        _check_depth(data, DEPTH, set())
    wanted, length = (list, count) if dtype.hasobject else (bytes, count * dtype.itemsize)
    if not isinstance(data, wanted) or len(data) != length:
        raise pickle.UnpicklingError(f"an array of shape {shape} comes with other data")
    array.__setstate__((1, shape, dtype, bool(fortran), data))


def _check_depth(value: object, depth: int, seen: set) -> None:
    """Refuse what is nested deeper than lists of segments: freeing it could overflow the stack."""
    inner = value.flat if isinstance(value, np.ndarray) and value.dtype.hasobject else value
    if inner is value and not isinstance(value, (list, tuple)):
        return
    if depth == 0:
        raise pickle.UnpicklingError(f"its lists are nested more than {DEPTH} deep")
    if (id(value), depth) not in seen:
        seen.add((id(value), depth))
        for one in inner:
            _check_depth(one, depth - 1, seen)


_CONSTRUCTORS = {
    "numpy.ndarray": None,  # an argument to _reconstruct; never called
    "numpy.dtype": _dtype,
    "numpy.core.multiarray._reconstruct": _empty,
    "numpy.core.multiarray.scalar": _scalar,
    "_codecs.encode": _encode,
    "__builtin__.bytes": _no_bytes,
}


class _Bounded:
    """A file that refuses to give more than it holds, before memory is reserved for it."""

    def __init__(self, file: BinaryIO):
        self.file, self.readline = file, file.readline
        self.size = os.fstat(file.fileno()).st_size

    def read(self, count: int) -> bytes:
        if count > self.size - self.file.tell():
            raise EOFError("it ends too early")
        return self.file.read(count)


# The steps of an array of lists, strings, numbers and arrays. Dictionaries and sets, which would
# hash what they are given, objects made in other ways, and buffers are not among them.
_STEPS = (
    pickle.PROTO + pickle.FRAME + pickle.STOP + pickle.MARK + pickle.NONE + pickle.NEWTRUE
    + pickle.NEWFALSE + pickle.INT + pickle.BININT + pickle.BININT1 + pickle.BININT2 + pickle.LONG
    + pickle.LONG1 + pickle.FLOAT + pickle.BINFLOAT + pickle.STRING + pickle.BINSTRING
    + pickle.SHORT_BINSTRING + pickle.UNICODE + pickle.BINUNICODE + pickle.SHORT_BINUNICODE
    + pickle.BINBYTES + pickle.SHORT_BINBYTES + pickle.BINBYTES8 + pickle.EMPTY_LIST + pickle.LIST
    + pickle.APPEND + pickle.APPENDS + pickle.TUPLE + pickle.EMPTY_TUPLE + pickle.TUPLE1
    + pickle.TUPLE2 + pickle.TUPLE3 + pickle.GLOBAL + pickle.STACK_GLOBAL + pickle.REDUCE
    + pickle.BUILD + pickle.PUT + pickle.BINPUT + pickle.LONG_BINPUT + pickle.GET + pickle.BINGET
    + pickle.LONG_BINGET + pickle.MEMOIZE)


def _refuse(unpickler: pickle._Unpickler) -> None:
    raise pickle.UnpicklingError("it takes a step that no array needs")


class _ArrayUnpickler(pickle._Unpickler):
    """The interpreter of pickles written in Python, with only the steps that arrays need.

    The one in C would reserve memory for whatever number a damaged file names, and hands states
    unchecked to numpy.
    """

    dispatch = {step: function if step in _STEPS else _refuse
                for step, function in pickle._Unpickler.dispatch.items()}

    def find_class(self, module: str, name: str) -> object:
        full_name = f"{_text(module)}.{_text(name)}"
        known = full_name.replace("numpy._core.", "numpy.core.")  # since numpy 2.0
        if known not in _CONSTRUCTORS:
            raise pickle.UnpicklingError(f"it names {full_name}, which no array needs")
        return _CONSTRUCTORS[known]

    def load_build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is np.ndarray:
            _set_array(target, state)
        elif isinstance(target, np.dtype):
            # (version, byte order, ...): the name has said it all, if the order is this machine's.
            if not (isinstance(state, tuple) and _text(state[1]) in ("<", "|", "=")):
                raise pickle.UnpicklingError("its numbers have another byte order")
        else:
            raise pickle.UnpicklingError(f"it changes a {type(target).__name__}")

    dispatch[pickle.BUILD[0]] = load_build
