"""Changes of the structure of h5ad files, through h5py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from tests.robustness.mutate import NASTY, one_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Change: TypeAlias = Callable[[h5py.File, np.random.Generator], None]

_SPARSE = ("X", "layers/counts", "raw/X", "obsm/sparse", "obsp/distances")
_TABLES = ("obs", "var", "raw/var")
_ENCODINGS = (
    *("csr_matrix", "csc_matrix", "array", "dict", "dataframe", "categorical", "string", "string-array"),
    *("numeric-scalar", "nullable-integer", "nullable-boolean", "rec-array", "awkward-array", "anndata"),
    *("raw", "null", "unknown", "", "nullable-string-array"),
)
_VERSIONS = ("0.1.0", "0.2.0", "0.0.1", "9.9.9", "", "x")
_DTYPES: tuple[Any, ...] = (
    *(
        "i1",
        "u1",
        "i4",
        "u4",
        "i8",
        "u8",
        "f2",
        "f4",
        "f8",
        "c8",
        "?",
        ">i4",
        ">f8",
        "S4",
        h5py.string_dtype(),
    ),
    *(np.dtype([("a", "i4"), ("b", "f4")]), h5py.enum_dtype({"A": 1, "B": 2}), h5py.vlen_dtype("i4")),
    *(h5py.ref_dtype, h5py.opaque_dtype(np.dtype("M8[s]"))),
)
_SHAPES = ((), (0,), (1,), (2, 2), (12,), (12, 20), (20, 12), (3, 3, 3), (2**31,), (2**40,), (2**20, 2**20))


def _names(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found


def _draw(file: h5py.File, rng: np.random.Generator) -> str:
    name: str = one_of(rng, _names(file))
    return name


def _replace(file: h5py.File, name: str, values: Any, **how: Any) -> None:
    """Put another data set in a place, with the attributes of the one before."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=values, **how)
    for key, value in attributes.items():
        file[name].attrs[key] = value


def change_number(file: h5py.File, rng: np.random.Generator) -> None:
    """Change one number of an array."""
    arrays = [name for name in _names(file) if isinstance(file[name], h5py.Dataset) and file[name].size]
    name = one_of(rng, [name for name in arrays if file[name].dtype.kind in "iufb"])
    values = file[name][()]
    if np.ndim(values):
        place = tuple(int(rng.integers(size)) for size in values.shape)
        number = one_of(rng, (-1, 0, 1, 5, 10**6, 2**31 - 1, -(2**31), np.nan, np.inf, 1e300, 1e-310, 1e12))
        with np.errstate(all="ignore"):
            values[place] = np.float64(number).astype(values.dtype)
    file[name][()] = values


def change_sparse(file: h5py.File, rng: np.random.Generator) -> None:
    """Break one of the rules of a sparse matrix."""
    place = one_of(rng, _SPARSE)
    name = f"{place}/{one_of(rng, ('indices', 'indptr', 'data'))}"
    values = file[name][()]
    where = int(rng.integers(len(values)))
    number = one_of(rng, (-1, 0, 1, 12, 20, 10**6, 2**31 - 1, -(2**31)))
    match int(rng.integers(6)):
        case 0 | 1 | 2:
            values[where] = number
            file[name][()] = values
        case 3:
            _replace(file, name, values[:where])
        case 4:
            _replace(file, name, np.append(values, values[:1]))
        case 5:
            _replace(file, name, rng.permutation(values))


def change_shape(file: h5py.File, rng: np.random.Generator) -> None:
    """Say another shape of a sparse matrix."""
    shapes: tuple[Any, ...] = (
        [12, 21],
        [13, 20],
        [12, 19],
        [11, 20],
        [-12, 20],
        [12],
        [],
        [12, 20, 1],
        [2**40, 20],
        [20, 12],
    )
    odd = (2**62, "12 x 20", [12.5, 20.0], [0, 0], ["a", "b"], [2**31, 2**31], [2**63 - 1, 1])
    file[one_of(rng, _SPARSE)].attrs["shape"] = one_of(rng, shapes + odd)


def change_dtype(file: h5py.File, rng: np.random.Generator) -> None:
    """Store an array as another type."""
    name = one_of(rng, [name for name in _names(file) if isinstance(file[name], h5py.Dataset)])
    values, dtype = file[name][()], one_of(rng, _DTYPES)
    try:
        with np.errstate(all="ignore"):
            _replace(file, name, np.asarray(values).astype(dtype), dtype=dtype)
    except (TypeError, ValueError):
        if name in file:
            del file[name]
        file.create_dataset(name, shape=np.shape(values), dtype=dtype)


def change_attribute(file: h5py.File, rng: np.random.Generator) -> None:
    """Change, remove or add an attribute."""
    item = file[one_of(rng, [*_names(file), "/"])]
    keys = [*item.attrs, "encoding-type", "encoding-version", "shape", "_index", "column-order", "ordered"]
    key = one_of(rng, keys)
    match int(rng.integers(4)):
        case 0:
            del item.attrs[key]
        case 1:
            item.attrs[key] = one_of(rng, _ENCODINGS + _VERSIONS + ("obs", "index", "_index", "X"))
        case 2:
            item.attrs[key] = one_of(rng, NASTY)
        case 3:
            item.attrs[key] = np.array([one_of(rng, _names(file)) for _ in range(3)], dtype=object)


def remove(file: h5py.File, rng: np.random.Generator) -> None:
    """Remove a part."""
    del file[_draw(file, rng)]


def swap(file: h5py.File, rng: np.random.Generator) -> None:
    """Put one part in the place of another."""
    one, other = _draw(file, rng), _draw(file, rng)
    del file[one]
    file.copy(file[other], one)


def replace(file: h5py.File, rng: np.random.Generator) -> None:
    """Put something of another kind in the place of a part."""
    name = _draw(file, rng)
    attributes = dict(file[name].attrs) if rng.random() < 0.5 else {}
    del file[name]
    match int(rng.integers(4)):
        case 0:
            file.create_group(name)
        case 1:
            file[name] = one_of(rng, (0, 1.5, "text", b"\xff", np.arange(12), np.eye(4), h5py.Empty("f4")))
        case 2:
            shape, dtype = one_of(rng, _SHAPES), one_of(rng, _DTYPES)
            is_large = int(np.prod(shape, dtype=float)) > 10**6
            file.create_dataset(name, shape=shape, dtype=dtype, chunks=True if is_large else None)
        case 3:
            file[name] = np.dtype("f4")
    for key, value in attributes.items():
        file[name].attrs[key] = value


def link(file: h5py.File, rng: np.random.Generator) -> None:
    """Put a link to something in the place of a part, a cycle among them, or add one."""
    name = _draw(file, rng)
    if rng.random() < 0.5:
        del file[name]
    else:
        name = f"{one_of(rng, ('obs', 'uns', 'layers', 'obsm', 'X', 'uns/note'))}/linked"
    match int(rng.integers(5)):
        case 0:
            file[name] = h5py.SoftLink("/nowhere")
        case 1:
            file[name] = h5py.SoftLink(f"/{name}")
        case 2:
            file[name] = file[one_of(rng, ("/", "uns", "layers", "obsm", "obs", "X"))]
        case 3:
            file[name] = h5py.ExternalLink(one_of(rng, ("other.h5", "/dev/zero", "x.h5ad", "")), "/X")
        case 4:
            file[name] = h5py.SoftLink(one_of(rng, ("/", "/X", "/obs", "..", "", "/uns/note")))


def change_names(file: h5py.File, rng: np.random.Generator) -> None:
    """Repeat, empty or garble names of rows, features, or categories."""
    names = [f"{table}/{column}" for table in _TABLES for column in ("_index",)] + ["obs/kind/categories"]
    name = one_of(rng, [name for name in names if name in file])
    values = [value.decode() for value in file[name][()]]
    odd = one_of(rng, (values[0], "", "nan", "ä" * 300, "\x1b[2J", "a\nb", "x" * 10**5, "/", "gene1.1"))
    values[int(rng.integers(len(values)))] = odd
    _replace(file, name, np.array(values, dtype=object), dtype=h5py.string_dtype())
    if rng.random() < 0.3:
        garbled = np.array([value.encode()[:5] + b"\xff\xfe" for value in values], dtype=object)
        _replace(file, name, garbled, dtype=h5py.string_dtype())


def change_codes(file: h5py.File, rng: np.random.Generator) -> None:
    """Say a category that is not there."""
    codes = file["obs/kind/codes"]
    codes[int(rng.integers(len(codes)))] = one_of(rng, (-2, -1, 3, 100, 127, -128))


def nest(file: h5py.File, rng: np.random.Generator) -> None:
    """Put groups into groups, many levels deep."""
    group = file[one_of(rng, ("uns", "layers", "obsm", "uns/note", "obs"))]
    for _ in range(int(one_of(rng, (10, 100, 300)))):
        group = group.create_group("g")
        group.attrs["encoding-type"] = "dict"
        group.attrs["encoding-version"] = "0.1.0"


def add(file: h5py.File, rng: np.random.Generator) -> None:
    """Add an element that no writer of h5ad files knows."""
    where = one_of(rng, ("", "obs/", "uns/", "layers/", "obsm/", "varm/", "obsp/", "X/", "raw/"))
    name = one_of(rng, ("extra", "__DATA_TYPES__", "_index", "ä", "x" * 200, "data", "X", "index"))
    shape = one_of(rng, _SHAPES[:8])
    file.create_dataset(f"{where}{name}", shape=shape, dtype=one_of(rng, _DTYPES))


CHANGES: tuple[Change, ...] = (
    *(change_number, change_sparse, change_sparse, change_sparse, change_shape, change_dtype),
    *(
        change_attribute,
        change_attribute,
        remove,
        swap,
        replace,
        link,
        change_names,
        change_codes,
        nest,
        add,
    ),
)
