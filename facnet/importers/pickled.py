"""Pickled NumPy arrays, read without trusting them.

The field's files (`segments.npy`, one array of features a video in one .npy) are object arrays,
which NumPy stores as a pickle; and a pickle is a program. This reader runs the few steps that such
arrays need and refuses every other one before it acts.
"""

import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from facnet.errors import FacnetError

DEPTH = 3  # lists in an array: of segments, of start and end, and one more must be empty
_PLAIN = re.compile(r"[|<=]?(O8?|f[248]|[iu][1248]|b1|[SU]\d{1,6})")
# The steps of an array of lists, strings, numbers and arrays. Dictionaries and sets, which would
# hash what they are given, objects made in other ways, and buffers are not among them.
_STEPS = (
    "PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT"
    " BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES"
    " SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS TUPLE EMPTY_TUPLE TUPLE1 TUPLE2"
    " TUPLE3 GLOBAL STACK_GLOBAL REDUCE BUILD PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE"
).split()


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
            np.lib.format.read_magic(file)
            if not np.lib.format.read_array_header_1_0(file)[2].hasobject:
                return np.atleast_1d(np.load(path, allow_pickle=False))
            size = path.stat().st_size  # no step gets more memory than the file could fill
            bounded = SimpleNamespace(
                read=lambda count: file.read(min(count, size)), readline=file.readline)
            array = ArrayUnpickler(bounded, encoding="bytes").load()
        inner = np.atleast_1d(array).flat if isinstance(array, np.ndarray) else [[[[array]]]]
        for _ in range(DEPTH):
            inner = {id(one): one for outer in inner if isinstance(outer, (list, tuple))
                     for one in outer}.values()
        if inner:
            raise pickle.UnpicklingError(f"it is no array, or its lists are {DEPTH} deep")
    except OSError as error:
        raise FacnetError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # a damaged file raises almost anything
        reason = " ".join(str(error).split())[:200]
        raise FacnetError(f"{path}: refused; it is damaged or holds more than arrays, lists,"
                          f" strings and numbers ({type(error).__name__}: {reason}).") from error
    return np.atleast_1d(array)


def _dtype(name: str | bytes, *flags: object) -> np.dtype:
    name = name.decode() if isinstance(name, bytes) else name
    if not _PLAIN.fullmatch(name):
        raise pickle.UnpicklingError(f"it holds elements of type {name!r}")
    return np.dtype(name)


# What an array's pickle names, and what is called in its place.
_CALLED = {
    "numpy.ndarray": None,  # an argument to _reconstruct
    "numpy.dtype": _dtype,
    "numpy.core.multiarray._reconstruct": lambda *given: np.empty(0),  # a blank to be filled
    "numpy.core.multiarray.scalar": lambda dtype, data: (
        np.frombuffer(data, dtype.str, count=1)[0] if dtype.itemsize else dtype.type()),
    "_codecs.encode": str.encode,  # how Python 3 writes bytes in the protocol of Python 2
    "__builtin__.bytes": lambda: b"",  # and b""
}


class ArrayUnpickler(pickle._Unpickler):
    """The interpreter of pickles written in Python, with only the steps that arrays need.

    The one in C reserves memory for whatever number a damaged file names, and hands states
    unchecked to numpy, which trusts them.
    """

    # Any other step is a KeyError before it is taken.
    dispatch = {step: pickle._Unpickler.dispatch[step]
                for step in (getattr(pickle, name)[0] for name in _STEPS)}

    def find_class(self, module: str, name: str) -> object:
        full_name = f"{module}.{name}".replace("numpy._core.", "numpy.core.")  # since numpy 2.0
        if full_name not in _CALLED:
            raise pickle.UnpicklingError(f"it names {full_name}, which no array needs")
        return _CALLED[full_name]

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.dtype):  # its name has said it all, if the order is this machine's
            if state[1] not in ("<", "|", "=", b"<", b"|", b"="):
                raise pickle.UnpicklingError("its numbers have another byte order")
            return
        if type(target) is not np.ndarray:
            raise pickle.UnpicklingError(f"it changes a {type(target).__name__}")
        _, shape, dtype, fortran, data = state
        # numpy checks bytes against the shape, but not lists. One array may hold lists: the whole.
        if dtype.hasobject and (self.metastack or len(self.stack) > 1
                                or len(data) != np.prod(shape, dtype=int)):
            raise pickle.UnpicklingError(f"an array of shape {shape} comes with other data")
        target.__setstate__((1, shape, dtype, bool(fortran), data))

    dispatch[pickle.BUILD[0]] = load_build
