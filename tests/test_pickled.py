"""Pickled arrays are read as numpy reads them; what is more than arrays is refused unexecuted."""

import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from test_files import lists

from facnet.errors import FacnetError
from facnet.importers.pickled import read_array


def file_of(path, content: bytes, shape=(1,)):
    """An .npy file of an object array whose pickle is `content`."""
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(content)
    return path


def equal(a, b) -> bool:
    if isinstance(a, np.ndarray) and a.dtype != object:
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, np.ndarray)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


VALUES = st.one_of(
    st.floats(allow_nan=False), st.integers(), st.text(max_size=5), st.none(),
    st.binary(max_size=5),
    st.floats(width=32, allow_nan=False).map(np.float32), st.text(max_size=5).map(np.str_),
    st.tuples(st.sampled_from(["f2", "f4", "f8", "i4", "u1", "b1", "S3", "U2"]),
              st.lists(st.integers(0, 4), min_size=1, max_size=3)).map(
                  lambda t: np.ones(t[1], t[0])),
    st.lists(st.integers(0, 40), min_size=2, max_size=2).map(
        lambda n: np.asfortranarray(np.arange(n[0] * n[1], dtype=np.float32).reshape(n))),
    st.lists(st.lists(st.floats(0, 9), max_size=2), max_size=3),
)


@given(values=st.lists(VALUES, min_size=1, max_size=5), protocol=st.integers(0, 4))
def test_what_numpy_pickles_is_read_as_numpy_reads_it(tmp_path_factory, values, protocol):
    content = pickle.dumps(lists(*values), protocol=protocol)
    path = file_of(tmp_path_factory.getbasetemp() / "a.npy", content, (len(values),))
    read = read_array(path)
    expected = np.load(path, allow_pickle=True, encoding="bytes")
    assert equal(list(read), list(expected))


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.array(5), np.array([b"ab"])])
def test_plain_arrays_are_read_too(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), np.atleast_1d(array))


def test_large_arrays_are_not_copied_out_of_the_bytes_read(tmp_path):
    np.save(tmp_path / "a.npy", lists(np.ones((50, 50), np.float32)), allow_pickle=True)
    assert not read_array(tmp_path / "a.npy")[0].flags.owndata


class Call:
    """A pickle that calls."""

    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def touch(path):
    path.touch()


GLOBAL = b"cfacnet.importers.pickled\n_dtype\n"
DTYPE = b"cnumpy\ndtype\n"
NDARRAY = b"cnumpy\nndarray\n"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR"
OF_ONE = b"(I1\n(I1\nt" + DTYPE + b"(S'O8'\ntRI00\n("  # the state of an array of what follows


@pytest.mark.parametrize("content, message", [
    (b"cos\nsystem\n(S'touch MARK'\ntR.", "names os.system"),
    (b"(S'touch MARK'\nios\nsystem\n.", "refused; .*KeyError"),  # INST
    (b"(cos\nsystem\nS'touch MARK'\no.", "names os.system"),  # OBJ, were it to come so far
    (b"\x80\x02cos\nsystem\n(S'touch MARK'\nt\x81.", "names os.system"),  # NEWOBJ
    (b"\x80\x04\x8c\x05posix\x8c\x06system\x93(\x8c\x0atouch MARKtR.", "names posix.system"),
    (b"c__builtin__\neval\n(S'open(\"MARK\",\"w\")'\ntR.", "names __builtin__.eval"),
    (b"ccopy_reg\n_reconstructor\n(tR.", "names copy_reg._reconstructor"),
    (b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.", "names numpy.core"),
    (b"cnumpy\nload\n(S'MARK'\ntR.", "names numpy.load"),
    (GLOBAL + b".", "names facnet"),
    (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "'zlib' is not a text encoding"),
    (NDARRAY + b"((I9\ntS'f8'\ntR.", "refused"),
    (b"\x80\x02" + NDARRAY + b"((I9\ntt\x81.", "refused"),
    (EMPTY + b"(I1\n(I4\nt" + DTYPE + b"(S'O8'\ntRI00\nS'12345678'\ntb.", "with other data"),
    (EMPTY + b"(I1\n(I1073741824\nt" + DTYPE + b"(S'f8'\ntRI00\nS'x'\ntb.", "buffer size"),
    (EMPTY + b"(I1\n(I-1\nt" + DTYPE + b"(S'f8'\ntRI00\nS'x'\ntb.", "impossible dimension"),
    (EMPTY + b"(I1\n(I1\ntS'f8'\nI00\nS'x'\ntb.", "no attribute 'hasobject'"),
    (EMPTY + b"Nb.", "refused"),
    (DTYPE + b"(S'i4,O'\ntR.", "elements of type"),
    (DTYPE + b"(S'>f4'\ntR.", "elements of type"),
    (DTYPE + b"(S'f4'\ntR(I3\nS'>'\ntb.", "another byte order"),
    (DTYPE + b"}S'a'\nI1\nsb.", "refused; .*KeyError"),
    (b"c_codecs\nencode\n(tb.", "changes a method"),
    (b"Pperson\n.", "refused; .*KeyError"),
    (b"\x80\x02\x82\x01.", "refused"),  # EXT1
    (b"\x80\x05\x97.", "refused"),  # NEXT_BUFFER
    (b"I1\n.", "it is no array"),
    (b"r" + struct.pack("<I", 2**31 - 1) + b".", "refused"),  # a memo of gigabytes, were it kept
    (b"\x80\x04\x8e" + struct.pack("<Q", 2**60), "refused"),  # a string of an exabyte
    (b"", "refused"),
])
def test_whatever_else_a_pickle_asks_for_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    path = file_of(tmp_path / "a.npy", content)
    with pytest.raises(FacnetError, match=message) as caught:
        read_array(path)
    assert str(caught.value).startswith(f"{path}: refused; it is damaged or holds more than arrays")
    assert str(caught.value).isprintable()
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


CRASHES = {
    "tuples in tuples as a key": b"\x80\x02})" + b"\x85" * 300_000 + b"Ns.",
    "arrays in arrays": EMPTY + (OF_ONE + b"l" + EMPTY) * 20_000,
    "arrays in arrays, each whole": (EMPTY + OF_ONE) * 20_000 + b"I1\n" + b"ltb" * 20_000 + b".",
    "arrays in arrays, filled from without": EMPTY + b"p0\n" + b"".join(
        OF_ONE + EMPTY + b"p%d\nltbg%d\n" % (i, i) for i in range(1, 20_000)) + b".",
    "lists in lists": EMPTY + OF_ONE + b"]" * 300_000 + b"a" * 299_999 + b"ltb.",
    "a list in itself": EMPTY + OF_ONE + b"]p0\ng0\naltb.",
    "lists that share lists": EMPTY + OF_ONE.replace(b"(I1\nt", b"(I20\nt") + b"]p0\n" + b"".join(
        b"]" + b"(" + b"g%d\n" % (i - 1) * 100 + b"ep%d\n" % i for i in range(1, 20)) + b"ltb.",
    "a shape of text": EMPTY + b"(I1\n(Vx\nI1000000000\nt" + DTYPE + b"(S'O8'\ntRI00\n(ltb.",
    "a buffer of gigabytes": b"\x80\x05\x96" + struct.pack("<Q", 3 << 30),
    "a string of gigabytes": b"\x80\x04\x8e" + struct.pack("<Q", 3 << 30),
    "a key hashed for ever": b"})" + b"2\x86" * 60 + b"Ns.",
}


@pytest.mark.parametrize("name", CRASHES)
def test_what_would_crash_or_choke_the_interpreter_is_refused_at_little_cost(tmp_path, name):
    path = file_of(tmp_path / "a.npy", CRASHES[name])
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from facnet.importers.pickled import read_array\n"
        "from facnet.errors import FacnetError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: read_array(Path(sys.argv[1]))\n"
        "except FacnetError as error: print('refused', peak() - before)\n")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    said, kib = done.stdout.split()
    assert said == "refused" and int(kib) < 200_000


def test_the_payloads_would_have_acted(tmp_path, monkeypatch):
    """The same bytes, read as numpy reads them when told to allow pickles."""
    monkeypatch.chdir(tmp_path)
    path = file_of(tmp_path / "a.npy", b"cos\nsystem\n(S'touch MARK'\ntR.")
    with pytest.raises(Exception):
        np.load(path, allow_pickle=True).shape
    assert (tmp_path / "MARK").exists()


def test_a_call_anywhere_in_an_array_is_refused(tmp_path):
    marker = tmp_path / "marker"
    for value in (Call(touch, marker), [[Call(touch, marker)]], (1, Call(touch, marker))):
        path = file_of(tmp_path / "a.npy", pickle.dumps(lists(value)))
        with pytest.raises(FacnetError, match="names test_pickled.touch, which no array needs"):
            read_array(path)
    assert not marker.exists()
