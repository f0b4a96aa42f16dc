"""`tl.augment`: new observations of sequences as letters, of counted words and of measured features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAug, io, tl
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedFeatures
from diffaug_bio.model.codes import generate_codes
from diffaug_bio.pp import KmerEncoding
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

LENGTH, N_OBS = 40, 60
STRENGTH = 0.5  # by default, of models whose noising is 1


@pytest.fixture
def dna() -> AnnData:
    """Sequences of different lengths, with annotations of which one is missing."""
    letters = clustered_dna(N_OBS, LENGTH, unequal=True)
    obs = pd.DataFrame(
        {
            "kind": pd.Categorical([None, *(f"k{n % 3}" for n in range(1, N_OBS))]),
            "score": np.linspace(0, 1, N_OBS),
        }
    )
    return io.from_sequences(letters, names=[f"s{n}" for n in range(N_OBS)], obs=obs)


@pytest.fixture
def measured() -> AnnData:
    """Proteins of three clusters, some values missing, and one that is constant."""
    rng = np.random.default_rng(0)
    centers = rng.normal(5, 2, (3, 12))
    values = centers[np.arange(N_OBS) % 3] + rng.normal(0, 0.5, (N_OBS, 12))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, 4] = 2.0
    return anndata.AnnData(
        X=values.astype(np.float32),
        obs=pd.DataFrame(
            {"kind": [f"k{n % 3}" for n in range(N_OBS)]}, index=[f"m{n}" for n in range(N_OBS)]
        ),
        var=pd.DataFrame(index=[f"protein{n}" for n in range(12)]),
    )


def fit(adata: AnnData, config: DiffAugConfig, encoder: Literal["mlp", "cnn"], **options: Any) -> DiffAug:
    config = config.replace(encoder={"kind": encoder})
    return tl.fit(adata, config=config, device="cpu", **options)


def letters_of(adata: AnnData) -> list[str]:
    return [str(letters) for letters in adata.obs["sequence"]]


def fitted_features(model: DiffAug) -> FittedFeatures:
    assert isinstance(model.features_, FittedFeatures)
    return model.features_


def check_annotations(generated: AnnData, source: AnnData, *, seed: int = 0) -> None:
    """Compare `.obs` with that of the source."""
    assert list(generated.obs_names) == [f"{name}-generated-{seed}" for name in source.obs_names]
    assert list(generated.obs["source"]) == list(source.obs_names)
    assert generated.obs["generated"].dtype == bool
    assert generated.obs["generated"].all()
    columns = [name for name in source.obs if name != "sequence"]
    assert {"source", "generated", *columns} == set(generated.obs) - {"sequence"}
    copied = generated.obs[columns].set_index(source.obs_names)
    pd.testing.assert_frame_equal(copied, source.obs[columns], check_categorical=False)


def check_change(generated: AnnData, model: DiffAug, source: AnnData, *, seed: int = 0) -> None:
    """Compare the change of components with what the generator made; of nothing that was cut off."""
    matrix = source[:, list(model.feature_names_in_)].X
    codes, made = generate_codes(model, matrix, random_state=seed, strength=STRENGTH)
    values = generated[:, list(model.feature_names_in_)].X
    change = model.features_.project(values) - codes
    inside = np.ones(len(codes), bool)
    if (observed := fitted_features(model).observed) is not None:  # measured values stay in their range
        low, high = observed.limits
        inside = ((values > low) & (values < high))[:, model.features_.used].all(1)
        assert inside.sum() > 0.7 * len(inside)
    # Values are some 10 wide and rounded to float32 on the way into features and back.
    np.testing.assert_allclose(change[inside], (made - codes)[inside], rtol=0, atol=1e-3)
    assert np.abs(made - codes).max() > 0.1


def test_letters_are_as_many_as_those_of_the_source_and_only_bases_change(
    dna: AnnData, letters_config: DiffAugConfig
) -> None:
    model = fit(dna, letters_config, "cnn")
    before = dna.copy()
    generated = tl.augment(dna, model)
    check_annotations(generated, dna)
    n_changed = 0
    for new, old in zip(letters_of(generated), letters_of(dna), strict=True):
        assert len(new) == len(old)
        assert [at for at, one in enumerate(new) if one == "N"] == [
            at for at, one in enumerate(old) if one == "N"
        ]
        assert set(new) <= set("ACGTN")
        n_changed += new != old
    assert n_changed > N_OBS / 2
    # What it was made from is as it was.
    pd.testing.assert_frame_equal(dna.obs, before.obs)
    np.testing.assert_array_equal(dna.X.toarray(), before.X.toarray())


def test_words_of_generated_letters_are_counted_as_those_of_the_source(
    letters_config: DiffAugConfig,
) -> None:
    kmers = KmerEncoding(k=(2, 3), canonical=True)
    dna = io.from_sequences(clustered_dna(N_OBS, LENGTH), kmers=kmers)
    generated = tl.augment(dna, fit(dna, letters_config, "cnn"), n_views=2)
    assert list(generated.var_names) == list(dna.var_names)
    expected, _ = kmers.encode(letters_of(generated))
    np.testing.assert_array_equal(generated.X.toarray(), expected.toarray())
    assert KmerEncoding.from_dict(generated.uns["kmers"], source="test") == kmers


def test_views_stand_below_each_other_under_names_of_their_own(
    dna: AnnData, letters_config: DiffAugConfig
) -> None:
    model = fit(dna, letters_config, "cnn")
    generated = tl.augment(dna, model, n_views=3, random_state=7)
    assert generated.n_obs == 3 * N_OBS
    assert generated.obs_names.is_unique
    for view in range(3):
        rows = generated[view * N_OBS : (view + 1) * N_OBS]
        check_annotations(rows, dna, seed=7 + view)
        assert letters_of(rows) == letters_of(tl.augment(dna, model, random_state=7 + view))


def test_the_same_seed_gives_the_same_letters_and_another_seed_others(
    dna: AnnData, letters_config: DiffAugConfig
) -> None:
    model = fit(dna, letters_config, "cnn")
    first, again, other = (letters_of(tl.augment(dna, model, random_state=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_model_folder_gives_what_the_model_gives(
    dna: AnnData, letters_config: DiffAugConfig, tmp_path: Path
) -> None:
    model = fit(dna, letters_config, "cnn")
    model.save(tmp_path / "model")
    assert letters_of(tl.augment(dna, tmp_path / "model", device="cpu")) == letters_of(
        tl.augment(dna, model)
    )


def test_new_sequences_are_augmented_by_a_model_of_others(
    dna: AnnData, letters_config: DiffAugConfig
) -> None:
    new = io.from_sequences(clustered_dna(10, 30, seed=1))
    generated = tl.augment(new, fit(dna, letters_config, "cnn"))
    assert [len(letters) for letters in letters_of(generated)] == [30] * 10


def test_counted_words_stay_profiles_and_change_as_the_generator_says(
    dna: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(dna, tiny_config, "mlp")
    generated = tl.augment(dna, model)
    check_annotations(generated, dna)
    assert list(generated.var_names) == list(dna.var_names)
    assert generated.X.min() == 0
    assert not np.array_equal(generated.X, dna.X.toarray())
    # Before it is cut off at zero, the change of components is that of the generator.
    codes, made = generate_codes(model, dna.X, strength=STRENGTH)
    features = fitted_features(model)
    scale = np.square(features.components).sum(0)
    moved = dna.X.toarray()
    moved[:, features.selected] += ((made - codes) / scale) @ features.components.T * features.std
    np.testing.assert_allclose(features.project(moved) - codes, made - codes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(generated.X, np.maximum(moved, 0), rtol=0, atol=1e-6)


def test_generated_words_are_embedded_as_they_are_and_not_by_the_letters_of_the_source(
    dna: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(dna, tiny_config, "mlp")
    generated = tl.augment(dna, model, n_views=2)
    assert "sequence" not in generated.obs
    assert KmerEncoding.from_dict(generated.uns["kmers"], source="test") == KmerEncoding()
    tl.project(generated, model)
    np.testing.assert_array_equal(generated.obsm["X_diffaug"], model.transform(generated.X))
    assert not np.allclose(generated.obsm["X_diffaug"][:N_OBS], dna.obsm["X_diffaug"])


def test_measured_features_with_missing_values_become_finite_ones(
    measured: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(measured, tiny_config, "mlp")
    before = measured.X.copy()
    generated = tl.augment(measured, model, n_views=2)
    assert generated.shape == (2 * N_OBS, 12)
    assert np.isfinite(generated.X).all()
    # A feature that does not vary is as it was.
    assert (generated.X[:, 4] == 2).all()
    check_annotations(generated[:N_OBS], measured)
    check_change(generated[:N_OBS], model, measured)
    check_change(generated[N_OBS:], model, measured, seed=1)
    np.testing.assert_array_equal(measured.X, before)


def test_features_in_another_order_are_augmented_alike(
    measured: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(measured, tiny_config, "mlp")
    turned = measured[:, ::-1].copy()
    generated = tl.augment(turned, model)
    assert list(generated.var_names) == list(turned.var_names)
    check_change(generated, model, measured)
    np.testing.assert_allclose(generated.X[:, ::-1], tl.augment(measured, model).X, rtol=0, atol=1e-5)


def test_features_that_the_model_does_not_know_stay_and_those_missing_stay_away(
    measured: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(measured, tiny_config, "mlp")
    other = measured[:, 3:].copy()
    other.var_names = ["weight", *other.var_names[1:]]
    other.X[:, 0] = np.arange(N_OBS)
    generated = tl.augment(other, model)
    assert list(generated.var_names) == list(other.var_names)
    assert np.isfinite(generated.X).all()
    np.testing.assert_array_equal(generated.X[:, 0], np.arange(N_OBS))
    assert not np.allclose(generated.X[:, 2:], np.nan_to_num(other.X[:, 2:]))


def test_a_representation_is_augmented(measured: AnnData, tiny_config: DiffAugConfig) -> None:
    measured.obsm["X_rep"] = np.random.default_rng(0).normal(size=(N_OBS, 5)).astype(np.float32)
    model = fit(measured, tiny_config, "mlp", use_rep="X_rep")
    generated = tl.augment(measured, model)
    assert list(generated.var_names) == [f"X_rep_{number}" for number in range(1, 6)]
    codes, made = generate_codes(model, measured.obsm["X_rep"], strength=STRENGTH)
    change = model.features_.project(generated.X) - codes
    np.testing.assert_allclose(change, made - codes, rtol=0, atol=1e-4)


def test_a_model_without_generator_is_refused(dna: AnnData, letters_config: DiffAugConfig) -> None:
    config = letters_config.replace(train={"generated_views": "none"})
    with pytest.raises(InputError, match=r"This model has no generator: .* Fit one with a generator"):
        tl.augment(dna, fit(dna, config, "cnn"))


@pytest.mark.parametrize("n_views", [0, -1, 1.5, True, "2"])
def test_a_number_of_views_that_is_none_is_refused(dna: AnnData, n_views: int) -> None:
    with pytest.raises(InputError, match=r"`n_views` has to be a whole number of at least 1, got "):
        tl.augment(dna, "nowhere", n_views=n_views)


def test_data_without_letters_do_not_go_through_a_model_of_letters(
    dna: AnnData, counts: AnnData, letters_config: DiffAugConfig
) -> None:
    with pytest.raises(InputError, match=r"reads sequences, and these data have none in .* 'cluster'"):
        tl.augment(counts, fit(dna, letters_config, "cnn"))


@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize("kind", ["letters", "words", "measured"])
def test_what_is_generated_can_be_written_and_augmented_again(
    dna: AnnData,
    measured: AnnData,
    letters_config: DiffAugConfig,
    tmp_path: Path,
    kind: str,
    n_views: int,
) -> None:
    adata = measured if kind == "measured" else dna
    model = fit(adata, letters_config, "cnn" if kind == "letters" else "mlp")
    generated = tl.augment(adata, model, n_views=n_views)
    generated.write_h5ad(tmp_path / "generated.h5ad")
    again = io.read(tmp_path / "generated.h5ad")
    assert list(again.obs_names) == list(generated.obs_names)
    assert list(again.obs["source"]) == list(generated.obs["source"])
    second = tl.augment(again, model, random_state=9)
    assert list(second.obs["source"]) == list(generated.obs_names)


@pytest.mark.parametrize("name", ["source", "generated"])
def test_a_column_of_the_users_is_not_written_over(dna: AnnData, name: str) -> None:
    dna.obs[name] = "liver"
    with pytest.raises(InputError, match=rf"has a column '{name}', where `augment` writes its own. Rename"):
        tl.augment(dna, "nowhere")


def test_what_is_no_seed_is_refused(dna: AnnData) -> None:
    with pytest.raises(InputError, match="`random_state` has to be a whole number"):
        tl.augment(dna, "nowhere", random_state="a")  # type: ignore[arg-type]


def test_words_of_a_model_that_does_not_say_how_it_counts_stay_profiles(
    dna: AnnData, letters_config: DiffAugConfig
) -> None:
    model = fit(dna, letters_config, "mlp")
    model.source_ = {"layer": None, "use_rep": None, "use_raw": False}  # as older versions wrote it
    generated = tl.augment(dna, model)
    assert generated.X.min() >= 0
    assert generated.uns["kmers"] == dna.uns["kmers"]
