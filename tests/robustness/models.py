"""Cases of model folders: bytes, JSON and arrays changed, then loaded, described and used."""

from __future__ import annotations

import copy
import functools
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file

from diffaug_bio import DiffAug
from diffaug_bio.model.codes import decode_codes, generate_codes
from diffaug_bio.model.folder import describe_model
from tests.conftest import sign_model
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import NASTY, mutated, mutated_text, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODELS = Path(__file__).parents[1] / "fixtures/models"
FOLDERS = sorted(path.parent.parent for path in MODELS.glob("*/*/model/config.json"))
_FILES = ("config.json", "features.json", "history.json", "weights.safetensors")
_DEEP = 3000
_WEIGHTS = ("bytes of weights", "array ")
_MEANT = (
    *(
        "preprocessing.target_sum",
        "preprocessing.max_value",
        "preprocessing.state",
        "preprocessing.front_end",
    ),
    *("preprocessing.pooled", "preprocessing.pixels", "preprocessing.spectra", "preprocessing.levels"),
)
"""Values that the embedding rightly depends on: another valid one is another model, which the digest tells
unless whoever changed it wrote a new digest."""


class _Change(NamedTuple):
    """What was changed, and whether the embedding may be another one."""

    what: str
    may_differ: bool


@functools.cache
def _known(folder: Path) -> dict[str, NDArray[Any]]:
    """Rows, and the embedding that the undamaged model gives on this machine."""
    rows = np.load(folder / "expected.npz")["rows"]
    return {"rows": rows, "embedding": DiffAug.load(folder, device="cpu").transform(rows)}


def model_case(rng: np.random.Generator, folder: Path) -> None:
    """Change a model, load it, and embed and generate some rows."""
    base = one_of(rng, FOLDERS)
    known = _known(base)
    is_signed = bool(rng.random() < 0.5)
    shutil.copytree(base / "model", folder / "model")
    drawn = rng.random()
    make = _change_bytes if drawn < 0.35 else _change_json if drawn < 0.7 else _change_arrays
    change = make(folder / "model", rng)
    if is_signed:
        sign_model(folder / "model")
    else:
        change = change._replace(may_differ=change.what.startswith(_WEIGHTS))
    describe_model(folder)
    model = DiffAug.load(folder, device="cpu")
    embedding = model.transform(known["rows"])
    _judge(embedding, known["embedding"], change)
    if rng.random() < 0.5:
        _judge_finite(model.novelty(known["rows"]).distance, "novelty")
    if rng.random() < 0.5 and model.has_generator:
        originals, generated = generate_codes(model, known["rows"])
        _judge_finite(generated, "generated rows")
        _judge_finite(decode_codes(model, generated, originals), "generated features")
    model.save(folder / "again")


def _judge(embedding: NDArray[np.float32], expected: NDArray[np.float32], change: _Change) -> None:
    """Refuse an embedding that is not finite, or another one where it has no reason to be."""
    _judge_finite(embedding, f"the embedding, after {change.what}")
    is_same = embedding.shape == expected.shape and np.allclose(embedding, expected, rtol=1e-3, atol=1e-4)
    if not is_same and not change.may_differ:
        msg = f"another embedding after {change.what}"
        raise SilentlyWrongError(msg)


def _judge_finite(values: NDArray[Any], what: str) -> None:
    if not np.isfinite(np.asarray(values, np.float64)).all():
        msg = f"not finite: {what}"
        raise SilentlyWrongError(msg)


def _change_bytes(folder: Path, rng: np.random.Generator) -> _Change:
    """Change bytes of one file; a number may become another one, which nothing can tell."""
    path = folder / one_of(rng, _FILES)
    content = path.read_bytes()
    if path.suffix == ".safetensors" and rng.random() < 0.5:  # the header alone
        end = 8 + int.from_bytes(content[:8], "little")
        path.write_bytes(mutated(content[:end], rng) + content[end:])
    else:
        path.write_bytes((mutated if path.suffix == ".safetensors" else mutated_text)(content, rng))
    return _Change(f"bytes of {path.name}", may_differ=path.name != "history.json")


def _change_json(folder: Path, rng: np.random.Generator) -> _Change:
    """Change one or two values of a JSON file."""
    path = folder / one_of(rng, ("config.json",) * 4 + ("features.json", "history.json"))
    value = json.loads(path.read_text(encoding="utf-8"))
    done = []
    for _ in range(int(rng.integers(1, 3))):
        if not (places := list(_places(value))):
            break
        place = one_of(rng, places)
        value = _changed(value, place, rng)
        done.append(".".join(map(str, place)))
    text = json.dumps(value)
    if rng.random() < 0.03:
        text = text.replace("[]", "[" * _DEEP + "]" * _DEEP).replace("20", "9" * 5000)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return _Change(
        f"{path.name} at {', '.join(done)}", may_differ=any(name.startswith(_MEANT) for name in done)
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """List the places of all values within a value."""
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _changed(value: Any, place: tuple[Any, ...], rng: np.random.Generator) -> Any:
    """Replace, scale, repeat, remove or shuffle the value at a place."""
    changed = copy.deepcopy(value)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    key, old = place[-1], holder[place[-1]]
    match int(rng.integers(7)):
        case 0 | 1:
            holder[key] = one_of(rng, NASTY)
        case 2 if isinstance(old, int | float) and not isinstance(old, bool):
            holder[key] = one_of(
                rng, (old + 1, old - 1, -old, old * 10, old * 10**6, float(old), str(old), old / 3)
            )
        case 3:
            del holder[key]
        case 4 if isinstance(old, list):
            holder[key] = one_of(rng, (old[::-1], old[:-1], old + old, [old], old[1:] + old[:1], [*old, 0]))
        case 5 if isinstance(holder, dict):
            holder[one_of(rng, ("x", "", f"{key}s", "kind", "names"))] = copy.deepcopy(old)
        case _:
            holder[key] = [old] if rng.random() < 0.5 else {str(key): old}
    return changed


def _change_arrays(folder: Path, rng: np.random.Generator) -> _Change:
    """Change one or two arrays: values, type, shape, or which there are."""
    path = folder / "weights.safetensors"
    arrays = load_file(path)
    done = []
    for _ in range(int(rng.integers(1, 3))):
        name = one_of(rng, sorted(arrays))
        done.append(f"array {name} {_change_array(arrays, name, rng)}")
    save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, path)
    return _Change(", ".join(done), may_differ=True)


def _change_array(arrays: dict[str, Any], name: str, rng: np.random.Generator) -> str:
    """Change one array in place, and say how."""
    values = arrays[name]
    how = one_of(
        rng, ("value", "value", "value", "all", "type", "shape", "cut", "remove", "copy", "empty", "sign")
    )
    number = one_of(rng, (np.nan, np.inf, -np.inf, -1, 0, 1e30, 1e38, 10**6, 1e-40, -5))
    with np.errstate(all="ignore"):
        match how:
            case "value" if values.size:
                values = values.copy()
                values.reshape(-1)[int(rng.integers(values.size))] = np.float64(number).astype(values.dtype)
            case "all":
                values = np.full_like(values, np.float64(number).astype(values.dtype))
            case "type":
                values = values.astype(one_of(rng, ("f8", "f2", "i8", "i4", "u1", "?", "i2")))
            case "shape":
                values = one_of(rng, (values.reshape(-1), values[None], values.T, values.reshape(-1, 1)))
            case "cut":
                values = values[..., :-1] if values.ndim else values
            case "empty":
                values = values.reshape(-1)[:0]
            case "sign":
                values = -values if values.dtype != np.bool_ else ~values
    arrays[name] = values
    if how == "remove":
        del arrays[name]
    if how == "copy":
        arrays[f"{name}.x"] = values
    return f"{how} {number}"
