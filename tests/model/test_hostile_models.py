"""Model folders from strangers: whatever they hold, they are read right, or refused in a sentence."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.core.inputs import FeatureInput
from diffaug_bio.core.state import expected_arrays
from diffaug_bio.errors import CheckpointError, DiffAugError, InputError
from diffaug_bio.model.codes import decode_codes, generate_codes
from diffaug_bio.model.folder import describe_model
from tests.conftest import sign_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Arrays = dict[str, np.ndarray]

MODELS = Path(__file__).parents[1] / "fixtures" / "models" / "format_1"
KINDS = sorted(folder.name for folder in MODELS.iterdir() if folder.name != "words")  # read like measured
DEEP, LONG = "deep", "long"  # what JSON can say and `json.dumps` does not
HOSTILE: tuple[Any, ...] = (-1, 10**30, 1e308, float("inf"), "x", "\ud800", None, [], {}, True, DEEP, LONG)
N_SAMPLED = 20  # of the fields and values, or arrays, of each file; the same in every run


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def model(kind: str, tmp_path: Path) -> Path:
    """A model of each kind that may be changed."""
    return copied(kind, tmp_path)


def copied(kind: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / kind / "model", tmp_path / "model"))


def changed(root: Any, place: tuple[str | int, ...], value: object) -> Any:
    """Copy nested tables and lists, with a value in the place of another."""
    root = copy.deepcopy(root)
    node = root
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return root


def places(node: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in nested tables and lists."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield (*at, key)
        yield from places(value, (*at, key))


def write_json(path: Path, value: object) -> None:
    text = json.dumps(value).replace(f'"{DEEP}"', "[" * 2000 + "]" * 2000)
    path.write_text(text.replace(f'"{LONG}"', "1" * 5000))
    sign_model(path.parent)


def change_json(path: Path, place: str, value: object) -> None:
    write_json(path, changed(json.loads(path.read_text()), tuple(place.split(".")), value))


def change_arrays(folder: Path, change: Callable[[Arrays], object]) -> None:
    arrays = load_file(folder / "weights.safetensors")
    change(arrays)
    save_file(arrays, folder / "weights.safetensors")


def check_refused(folder: Path, *said: str) -> None:
    """Check that a model is refused in one line that names the folder and these."""
    with pytest.raises(CheckpointError) as caught:
        DiffAug.load(folder, device="cpu")
    message = str(caught.value)
    assert all(part in message for part in (str(folder), *said)), message
    assert "\n" not in message
    assert len(message) < 600
    try_to_describe(folder)


def try_to_describe(folder: Path) -> None:
    """Describe a model that may be damaged: it is described, or refused."""
    _, message = outcome(lambda: describe_model(folder))
    assert not message or str(folder) in message


def outcome(use: Callable[[], Any]) -> tuple[Any, str]:
    """Give what comes out, or the message of an error that is ours; any other is raised."""
    try:
        return use(), ""
    except DiffAugError as error:
        return None, str(error)


@pytest.mark.parametrize("name", ["config.json", "features.json", "history.json"])
def test_any_field_of_any_value_is_refused_or_changes_nothing(model: Path, kind: str, name: str) -> None:
    root = json.loads((model / name).read_text())
    # How rows are generated is not to be seen in an embedding.
    every = [(place, value) for place in places(root) for value in HOSTILE if "generator" not in place]
    rows, rng = np.load(MODELS / kind / "expected.npz")["rows"], np.random.default_rng(0)
    expected = DiffAug.load(MODELS / kind / "model", device="cpu").transform(rows)
    sampled = rng.permutation(len(every))[:N_SAMPLED]
    n_refused = 0
    for number in sampled:
        place, value = every[number]
        write_json(model / name, changed(root, place, value))
        try_to_describe(model)
        found, message = outcome(lambda: DiffAug.load(model, device="cpu").transform(rows))
        assert "\n" not in message
        n_refused += bool(message)
        if not message:
            np.testing.assert_array_equal(found, expected, err_msg=f"{place} {value}")
    assert n_refused > 0.6 * len(sampled)


@pytest.mark.parametrize(
    ("file", "place", "value", "said"),
    [
        ("config.json", "seed", 2**32, "`seed` has to be a whole number from 0"),
        ("config.json", "seed", True, "`seed` has to be a whole number"),
        ("config.json", "spare", 1, "holds 'spare', which is unknown"),
        ("config.json", "preprocessing.state", "soup", "`preprocessing.state` has to be one of counts"),
        ("config.json", "preprocessing.n_vars", 19, "'features.selected' has the shape (20,)"),
        ("config.json", "preprocessing.n_vars", "20", "`preprocessing.n_vars` has to be a whole number"),
        (
            "config.json",
            "preprocessing.max_value",
            1.0,
            "`preprocessing.max_value` has to be 10.0, got 1.0",
        ),
        ("config.json", "preprocessing.target_sum", 10.0, "`preprocessing.target_sum` has to be"),
        (
            "config.json",
            "preprocessing.target_sum",
            None,
            "`preprocessing.target_sum` is None, with totals",
        ),
        ("config.json", "preprocessing.front_end", False, "`preprocessing.front_end` has to be True"),
        (
            "config.json",
            "config.features.input_state",
            "scaled",
            "`config.features.input_state` is 'scaled'",
        ),
        ("config.json", "config.encoder", [], "`config.encoder` has to be a table"),
        (
            "config.json",
            "config.encoder.kind",
            "auto",
            "`config.encoder.kind` is 'auto', which a fit decides",
        ),
        ("config.json", "config.encoder.kind", "cnn", "The encoder 'cnn'"),
        (
            "config.json",
            "config.encoder.hidden",
            [9],
            "weight' has the shape (8, 4), and (9, 4)",
        ),
        ("config.json", "config.generator.width", 10**7, "`width` has to be at most 16384, got 10000000"),
        (
            "config.json",
            "config.generator.width",
            16384,
            "'denoiser.embed_time.weight' has the shape (8, 8)",
        ),
        ("config.json", "config.generator.n_blocks", 10**6, "`n_blocks` has to be at most 64, got 1000000"),
        (
            "config.json",
            "config.generator.noising",
            None,
            "`config.generator.noising` is None, which a fit",
        ),
        (
            "config.json",
            "config.batches.names",
            ["a", "b"],
            "would keep batches apart",
        ),
        ("config.json", "source.use_raw", "yes", "`source.use_raw` has to be true or false, got 'yes'"),
        ("config.json", "source.kmers", {"k": [99]}, "`source`: "),
        ("features.json", "names", ["a"] * 20, "`names` has to be a list of texts, each there once"),
        ("features.json", "names", ["a", "b"], "`names` has 2 entries for 20 features"),
        ("features.json", "more", 1, "holds 'more', which is unknown"),
        ("history.json", "loss", [1.0], "`loss` has 1 entries for 6 epochs"),
        ("history.json", "loss", ["1"] * 6, "`loss` has to be a list of numbers or null"),
        ("history.json", "phase", ["sleep"] * 6, "`phase` has to be a list of phases"),
        ("history.json", "progress", [7] * 6, "`progress` has to be a list of numbers from 0 to 1"),
    ],
)
def test_the_entry_that_is_wrong_is_named(
    file: str, place: str, value: object, said: str, tmp_path: Path
) -> None:
    folder = copied("expression", tmp_path)
    if place.endswith("n_vars"):  # which the number of names would tell, too
        write_json(folder / "features.json", {"names": None})
    change_json(folder / file, place, value)
    file = "weights.safetensors" if "has the shape" in said else file
    check_refused(folder, file, said)


@pytest.mark.parametrize(
    ("kind", "place", "value", "said"),
    [
        ("sequence", "preprocessing.levels", [[3, 8], [4, 1], [1, 4]], "`preprocessing.levels` has to be"),
        ("sequence", "preprocessing.n_vars", 10**6, "`preprocessing.levels` has to be"),
        (
            "sequence",
            "preprocessing.spectra.state",
            "counts",
            "`preprocessing.spectra.state` has to be contin",
        ),
        ("sequence", "preprocessing.spectra.n_vars", 785, "`preprocessing.spectra.n_vars` has to be 784"),
        (
            "image",
            "preprocessing.image_shape",
            [12, 12, 2],
            "`preprocessing.image_shape` has to be height",
        ),
        (
            "image",
            "preprocessing.image_shape",
            [18, 8, 1],
            "image_shape` has to be [12, 12, 1]",
        ),
        ("image", "preprocessing.pixels.n_vars", 145, "`preprocessing.pixels.n_vars` has to be 144"),
        ("image", "preprocessing.pooled.n_vars", 129, "`preprocessing.pooled.n_vars` has to be 2048"),
        ("image", "config.generator.backbone", "unet", "'denoiser."),
        ("measured", "config.train.generated_views", "one", "'reference.denoising' is missing"),
        (
            "measured",
            "preprocessing.state",
            "representation",
            "max_value` has to be None, got 10.0",
        ),
        ("table", "config.features.columns", [["categorical", "sex", "F", "X"]], "`names` lacks features"),
        ("table", "config.features.columns", [["hue", "sex", "F"]], "with a kind of categorical, ordinal"),
        ("table", "config.features.columns", [["categorical"]], "the name of a column"),
        ("table", "config.features.input_state", "counts", "describes a table of measured values"),
        ("batches", "config.batches.names", ["a", "a"], "`names` holds each batch once"),
        ("batches", "config.encoder.linear_path", "kept", "would keep batches apart"),
    ],
)
def test_what_is_wrong_of_a_kind_is_named(
    kind: str, place: str, value: object, said: str, tmp_path: Path
) -> None:
    folder = copied(kind, tmp_path)
    change_json(folder / "config.json", place, value)
    check_refused(folder, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format_version": 1, "format_version": 1}', "the entry 'format_version' is there twice"),
        ('{"format_version": NaN}', "NaN is no number"),
        ('{"format_version": -Infinity}', "-Infinity is no number"),
        ('{"format_version": 1e999, "diffaug_bio": "1"}', "`format_version` has to be a whole number"),
        ('{"format_version": ' + "1" * 5000 + "}", "config.json is no strict JSON"),
        ("[" * 100_000, "config.json is nested too deeply"),
        ("3", "config.json has to hold a table, and holds 3"),
        (" " * (2**24 + 1), "config.json is larger than 16777216 bytes"),
    ],
    ids=["twice", "nan", "infinity", "overflow", "digits", "deep", "number", "large"],
)
def test_json_is_read_strictly(text: str, said: str, tmp_path: Path) -> None:
    folder = copied("measured", tmp_path)
    (folder / "config.json").write_text(text)
    check_refused(folder, said)


def set_first(name: str, value: float) -> Callable[[Arrays], object]:
    return lambda arrays: arrays[name].reshape(-1).__setitem__(0, value)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("features.selected", set_first("features.selected", -1), "ascending, from 0 and below"),
        ("features.selected", set_first("features.selected", 1), "ascending"),
        ("features.selected", lambda a: a["features.selected"].__setitem__(9, -(2**63)), "ascending"),
        ("features.selected", lambda a: a["features.selected"].__setitem__(-1, 20), "below the number"),
        ("features.std", set_first("features.std", 0.0), "finite and above 0"),
        ("features.std", set_first("features.std", -1.0), "finite and above 0"),
        ("features.mean", set_first("features.mean", np.nan), "has to hold numbers that are finite"),
        ("features.noise", set_first("features.noise", 0.0), "finite and above 0"),
        ("features.expected", lambda a: a["features.expected"].fill(0.0), "and one above"),
        ("features.components", lambda a: a.update({"features.components": a["features.mean"]}), "(20,)"),
        ("features.mean", lambda a: a.update({"features.mean": a["features.mean"].astype("f2")}), "F16"),
        ("features.mean", lambda a: a.update({"features.mean": a["features.selected"]}), "int64"),
        ("features.variances", lambda a: a.pop("features.variances"), "is missing"),
        ("condition.mean", set_first("condition.mean", np.nan), "finite"),
        ("condition.std", set_first("condition.std", 0.0), "finite and above 0"),
        ("limits", set_first("limits", np.nan), "not below 0"),
        ("code_scale", set_first("code_scale", np.inf), "finite and above 0"),
        ("encoder.network.3.bias", set_first("encoder.network.3.bias", np.nan), "finite"),
        ("encoder.network.2.running_var", set_first("encoder.network.2.running_var", -2.0), "not below 0"),
        ("reference.embedding", set_first("reference.embedding", -np.inf), "finite"),
        ("reference.denoising", lambda a: a.pop("reference.denoising"), "is missing"),
        ("spare", lambda a: a.update({"spare": np.zeros(1, np.float32)}), "is no part of such a model"),
    ],
)
def test_the_array_that_is_wrong_is_named(
    name: str, change: Callable[[Arrays], object], said: str, tmp_path: Path
) -> None:
    folder = copied("expression", tmp_path)
    change_arrays(folder, change)
    check_refused(folder, "weights.safetensors", repr(name), said)


def test_no_array_may_be_missing_renamed_or_of_another_shape_or_hold_nan(model: Path) -> None:
    arrays = load_file(model / "weights.safetensors")
    rng = np.random.default_rng(0)
    free = {"code_scale", "reference.embedding", "features.expected"}
    for name in rng.permutation(sorted(arrays))[: N_SAMPLED // 3]:
        array = arrays[name]
        others = {key: value for key, value in arrays.items() if key != name}
        hostile = [{**others, f"{name}s": array}, {**others, name: np.stack([array, array])}]
        if name not in free:
            hostile.append(others)
        if array.dtype == np.float32 and array.size:
            broken = array.copy()
            broken.reshape(-1)[rng.integers(array.size)] = np.nan
            hostile.append({**others, name: broken})
        for held in hostile:
            (model / "weights.safetensors").write_bytes(save(held))
            with pytest.raises(CheckpointError):
                DiffAug.load(model, device="cpu")


def test_changed_bytes_of_weights_are_refused_or_read_as_numbers(model: Path, kind: str) -> None:
    path, rng = model / "weights.safetensors", np.random.default_rng(0)
    whole, rows = path.read_bytes(), np.load(MODELS / kind / "expected.npz")["rows"]
    for _ in range(N_SAMPLED):
        content = bytearray(whole)
        content[rng.integers(3000)] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try_to_describe(model)
        found, message = outcome(lambda: DiffAug.load(model, device="cpu").transform(rows))
        assert "\n" not in message
        assert message or np.isfinite(found).all()


@pytest.mark.parametrize("length", [0, 2**40, 2**63], ids=["none", "terabyte", "exabytes"])
def test_absurd_headers_of_weights_are_refused(length: int, tmp_path: Path) -> None:
    folder = copied("measured", tmp_path)
    path = folder / "weights.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    check_refused(folder, "weights.safetensors cannot be read")


def test_what_makes_another_model_as_valid_is_told_by_the_digest(fitted: DiffAug, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    names = list(fitted.feature_names_in_)
    for file, place, value in (  # by somebody who knows nothing of the digest
        ("config.json", "config.generator.guidance", 2.0),
        ("config.json", "config.generator.schedule", "linear"),
        ("config.json", "seed", 1),
        ("config.json", "sha256", "0" * 64),
        ("features.json", "names", [names[1], names[0], *names[2:]]),
    ):
        path = tmp_path / "model" / file
        whole = path.read_bytes()
        path.write_text(json.dumps(changed(json.loads(whole), tuple(place.split(".")), value)))
        check_refused(tmp_path / "model", "was changed after the model was saved", "sha256")
        path.write_bytes(whole)
    assert DiffAug.load(tmp_path / "model", device="cpu").n_features_in_ == len(names)


@pytest.mark.parametrize("name", ["a\udcff", "b\0", "\u2028", "ä"])
def test_a_model_of_odd_names_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    model = DiffAug.load(MODELS / "expression" / "model", device="cpu")
    model.feature_names_in_[0] = name
    model.save(tmp_path / "again")
    again = DiffAug.load(tmp_path / "again", device="cpu")
    assert again.feature_names_in_[0] == name.replace("\udcff", "\ufffd")


def test_shapes_of_networks_are_told_without_their_memory() -> None:
    config = DiffAugConfig().replace(
        encoder={"hidden": [16384] * 32, "n_latent": 4096}, generator={"n_blocks": 64}
    )
    shapes = expected_arrays(config.for_kind("measured"), FeatureInput(100))
    assert shapes["encoder.network.3.weight"][0] == (16384, 16384)  # of 32, a gigabyte each
    assert shapes["condition.mean"][0] == (3996,)


def test_an_embedding_that_is_not_finite_is_never_returned(tmp_path: Path) -> None:
    folder = copied("expression", tmp_path)
    rows = np.load(MODELS / "expression" / "expected.npz")["rows"]
    change_arrays(folder, lambda arrays: arrays["encoder.network.0.weight"].fill(3e38))
    model = DiffAug.load(folder, device="cpu")
    said = r"embedding.*not finite.* of 6 rows.*row 0.*damaged"
    for use in (model.transform, model.transform_with_novelty, model.augment):
        with pytest.raises(InputError, match=said):
            use(rows)


def test_generated_rows_that_are_not_finite_are_never_returned(tmp_path: Path) -> None:
    folder = copied("image", tmp_path)
    rows = np.load(MODELS / "image" / "expected.npz")["rows"]
    change_arrays(folder, lambda arrays: arrays["denoiser.mix.weight"].fill(3e38))
    model = DiffAug.load(folder, device="cpu")
    assert np.isfinite(model.transform(rows)).all()
    with pytest.raises(InputError, match=r"generated code.*not finite.*row 0"):
        generate_codes(model, rows)
    codes = np.zeros((6, 4), np.float32)
    codes[2, 1] = np.inf
    with pytest.raises(InputError, match=r"code .* 1 of 6 rows.*row 2"):
        decode_codes(model, codes, rows)


def test_novelty_that_is_not_finite_is_never_returned(tmp_path: Path) -> None:
    folder = copied("expression", tmp_path)
    rows = np.load(MODELS / "expression" / "expected.npz")["rows"]
    change_arrays(folder, lambda arrays: arrays["reference.denoising"].fill(1e-44))
    model = DiffAug.load(folder, device="cpu")
    assert np.isfinite(model.transform(rows)).all()
    with pytest.raises(InputError, match=r"novelty.*not finite.*row 0"):
        model.novelty(rows)
