"""`tl.evaluate` and `tl.evaluate_generated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, metrics, tl
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

GENERATED = {
    "cosine_generated",
    "cosine_mixup",
    "cosine_feature_swap",
    "source_distance",
    "ks_mean",
    "ks_max",
    "real_or_generated",
    "memorised",
}


@pytest.fixture
def embedded(counts: AnnData) -> AnnData:
    """`counts` with two embeddings, of which the second knows the clusters, and four donors."""
    rng = np.random.default_rng(0)
    number = np.repeat([0, 1, 2], 40)
    counts.obsm["X_noise"] = rng.normal(size=(120, 5)).astype(np.float32)
    counts.obsm["X_good"] = (4 * np.eye(3)[number] + rng.normal(size=(120, 3))).astype(np.float32)
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    return counts


def test_scores_are_those_of_the_metrics(embedded: AnnData) -> None:
    table = tl.evaluate(embedded, "cluster", use_rep=["X_noise", "X_good"], random_state=3)
    assert list(table.index) == ["X_noise", "X_good", "chance"]
    for name in ("X_noise", "X_good"):
        expected = metrics.evaluate(
            embedded.obsm[name], np.asarray(embedded.obs["cluster"].astype(str), np.str_), random_state=3
        )
        assert table.loc[name].to_dict() == expected
    probe = table["linear_probe"].to_dict()
    assert probe["X_good"] > 0.9
    assert probe["X_noise"] < 0.6


def test_one_embedding_may_be_named_alone(embedded: AnnData) -> None:
    assert list(tl.evaluate(embedded, "cluster", use_rep="X_good").index) == ["X_good", "chance"]


def test_every_score_has_its_chance_level_beside_it(embedded: AnnData) -> None:
    table = tl.evaluate(embedded, "cluster", use_rep="X_noise", random_state=3)
    labels = np.asarray(embedded.obs["cluster"].astype(str), np.str_)
    expected = metrics.chance(labels, random_state=3)
    assert table.loc["chance"].dropna().to_dict() == expected
    assert expected["linear_probe"] == pytest.approx(1 / 3)
    assert table.loc["chance", ["silhouette", "leiden_resolution"]].isna().all()


def test_a_number_is_scored_by_r2(embedded: AnnData) -> None:
    embedded.obs["age"] = 50 + 10 * embedded.obsm["X_good"][:, 0].astype(np.float64)
    table = tl.evaluate(embedded, "age", use_rep=["X_good", "X_noise"])
    assert list(table.columns) == ["linear_r2", "linear_r2_spread", "knn_r2", "knn_r2_spread"]
    found = table["linear_r2"].to_dict()
    assert found["X_good"] > 0.99
    assert found["X_noise"] == pytest.approx(found["chance"], abs=0.2)
    embedded.obs["age"] = (embedded.obs["age"] / 20).round()
    assert "linear_probe" in tl.evaluate(embedded, "age", use_rep="X_good", label_kind="classes")
    with pytest.raises(InputError, match=r"'age' is a number\. Name a column of classes"):
        tl.evaluate(embedded, "age", use_rep="X_good", batch_key="donor", label_kind="number")


def test_rows_without_a_label_are_left_out(embedded: AnnData) -> None:
    labels = embedded.obs["cluster"].astype(object).to_numpy()
    labels[::7] = None
    embedded.obs["cluster"] = pd.Categorical(labels)
    embedded.obsm["X_good"][::7] = 1e6  # would break every score
    found = tl.evaluate(embedded, "cluster", use_rep="X_good")
    kept = embedded[[label is not None for label in labels]].copy()
    pd.testing.assert_frame_equal(found, tl.evaluate(kept, "cluster", use_rep="X_good"), check_exact=True)


def test_groups_are_kept_together(embedded: AnnData) -> None:
    found = tl.evaluate(embedded, "cluster", use_rep="X_good", group_key="donor")
    labels = np.asarray(embedded.obs["cluster"].astype(str), np.str_)
    expected = metrics.evaluate(embedded.obsm["X_good"], labels, groups=embedded.obs["donor"].to_numpy())
    assert found.loc["X_good"].to_dict() == expected
    assert not found.equals(tl.evaluate(embedded, "cluster", use_rep="X_good"))


def test_groups_from_names_are_those_of_the_column(embedded: AnnData) -> None:
    by_column = tl.evaluate(embedded, "cluster", use_rep="X_good", group_key="donor")
    embedded.obs_names = [f"{donor}_{i}" for i, donor in enumerate(embedded.obs["donor"])]
    by_name = tl.evaluate(embedded, "cluster", use_rep="X_good", group_key="id:_")
    pd.testing.assert_frame_equal(by_name, by_column, check_exact=True)


def test_nothing_is_changed(embedded: AnnData) -> None:
    before = embedded.copy()
    tl.evaluate(embedded, "cluster", use_rep=["X_noise", "X_good"], group_key="donor")
    pd.testing.assert_frame_equal(embedded.obs, before.obs)
    assert set(embedded.obsm) == set(before.obsm)
    for name in before.obsm:
        np.testing.assert_array_equal(embedded.obsm[name], before.obsm[name])
    assert (embedded.X != before.X).nnz == 0
    assert not embedded.uns


def test_data_frames_and_sparse_matrices_are_embeddings(embedded: AnnData) -> None:
    embedded.obsm["X_sparse"] = sparse.csr_matrix(embedded.obsm["X_good"])
    embedded.obsm["X_frame"] = pd.DataFrame(
        embedded.obsm["X_good"], index=embedded.obs_names, columns=["a", "b", "c"]
    )
    table = tl.evaluate(embedded, "cluster", use_rep=["X_good", "X_frame", "X_sparse"])
    assert table.loc["X_good"].to_dict() == table.loc["X_sparse"].to_dict()
    assert table.loc["X_good"].to_dict() == table.loc["X_frame"].to_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"'X_diffaug' in `\.obsm`; it holds 'X_noise', 'X_good'\. `diffaug_bio\.tl\.embed` makes"),
        ({"use_rep": ["X_good", "X_pca"]}, r"'X_pca' in `\.obsm`; it holds 'X_noise', 'X_good'"),
        ({"label_key": "kind", "use_rep": "X_good"}, r"no label column 'kind'.* holds 'cluster', 'donor'"),
        (
            {"group_key": "mouse", "use_rep": "X_good"},
            r"no group column 'mouse' in `\.obs`; it holds 'cluster', 'donor'\. `id:_` groups",
        ),
        ({"group_key": "id:_", "use_rep": "X_good"}, r"120 names of observations hold no '_'"),
        ({"random_state": -1, "use_rep": "X_good"}, r"`random_state` has to be a whole number"),
    ],
    ids=["default", "one of two", "label", "group", "names", "seed"],
)
def test_what_is_not_there_is_an_error(embedded: AnnData, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tl.evaluate(embedded, **{"label_key": "cluster", **arguments})


def test_no_embedding_at_all_is_said(counts: AnnData) -> None:
    with pytest.raises(InputError, match=r"'X_diffaug' in `\.obsm`.*nothing"):
        tl.evaluate(counts, "cluster")


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["missing", "infinite"])
def test_an_embedding_that_is_not_finite_is_an_error(embedded: AnnData, value: float) -> None:
    embedded.obsm["X_good"][5, 1] = value
    with pytest.raises(InputError, match=r"`\.obsm\['X_good'\]` holds missing or infinite values"):
        tl.evaluate(embedded, "cluster", use_rep="X_good")


@pytest.mark.parametrize("label_key", [None, "cluster"], ids=["no labels", "labels"])
def test_generated_rows_are_scored(
    counts: AnnData, tiny_config: DiffAugConfig, label_key: str | None
) -> None:
    model = tl.fit(counts, config=tiny_config, device="cpu")
    before = counts.copy()
    scores = tl.evaluate_generated(counts, model, label_key=label_key)
    assert set(scores) == GENERATED | ({"label_kept", "label_kept_real"} if label_key else set())
    assert all(np.isfinite(value) for value in scores.values())
    assert scores == tl.evaluate_generated(counts, model, label_key=label_key)
    assert scores != tl.evaluate_generated(counts, model, label_key=label_key, random_state=1)
    pd.testing.assert_frame_equal(counts.obs, before.obs)
    assert set(counts.obsm) == {"X_diffaug"}


def test_generated_rows_come_from_the_matrix_of_the_fit(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    counts.layers["counts"] = counts.X.copy()
    model = tl.fit(counts, config=tiny_config, layer="counts", device="cpu")
    expected = tl.evaluate_generated(counts, model)
    counts.X = sparse.csr_matrix(counts.X.shape, dtype=np.float32)
    assert tl.evaluate_generated(counts, model) == expected


def test_generated_rows_may_come_from_another_matrix(counts: AnnData, fitted: DiffAug) -> None:
    expected = tl.evaluate_generated(counts, fitted)
    counts.var["name"] = counts.var_names
    counts.raw, counts.layers["counts"] = counts.copy(), counts.X.copy()
    counts.X = sparse.csr_matrix(counts.X.shape, dtype=np.float32)
    for where in ({"layer": "counts"}, {"use_raw": True}, {"use_raw": True, "var_key": "name"}):
        assert tl.evaluate_generated(counts, fitted, **where) == expected
    with pytest.raises(InputError, match="no layer 'none'"):
        tl.evaluate_generated(counts, fitted, layer="none")


@pytest.mark.parametrize(
    "changes", [{"generated_views": "none"}, {"rounds": 0}], ids=["no generated views", "no rounds"]
)
def test_a_model_without_generator_is_an_error(
    counts: AnnData, tiny_config: DiffAugConfig, changes: dict[str, Any]
) -> None:
    model = DiffAug(tiny_config.replace(train=changes), device="cpu").fit(counts.X)
    with pytest.raises(InputError, match=r"no generator: .* Fit one with a generator"):
        tl.evaluate_generated(counts, model)


def test_generated_rows_need_a_label_that_is_there(counts: AnnData, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"no label column 'kind' in `\.obs`; it holds 'cluster'"):
        tl.evaluate_generated(counts, fitted, label_key="kind")


def test_with_batches_there_are_the_scores_of_integration(embedded: AnnData) -> None:
    embedded.obs["run"] = [f"r{number % 2}" for number in range(120)]
    plain = tl.evaluate(embedded, "cluster", use_rep=["X_noise", "X_good"], random_state=3)
    table = tl.evaluate(
        embedded,
        "cluster",
        use_rep=["X_noise", "X_good"],
        batch_key="run",
        before_rep="X_noise",
        random_state=3,
    )
    pd.testing.assert_frame_equal(table[plain.columns], plain, check_exact=True)
    labels, batches = (embedded.obs[key].astype(str).to_numpy(np.str_) for key in ("cluster", "run"))
    for name in ("X_noise", "X_good"):
        expected = metrics.integration(
            embedded.obsm[name], batches, labels, before=embedded.obsm["X_noise"], random_state=3
        )
        assert table.loc[name, list(expected)].to_dict() == expected
        assert set(table.columns) == set(plain.columns) | set(expected)
    assert table.loc["X_noise", "pcr_comparison"] == 0.0
    without = tl.evaluate(embedded, "cluster", use_rep="X_good", batch_key="run")
    assert "pcr_comparison" not in without
    assert "batch_mixing" in without


def test_each_combination_of_two_columns_is_a_batch(embedded: AnnData) -> None:
    embedded.obs["run"] = [number // 3 % 2 for number in range(120)]
    embedded.obs["both"] = embedded.obs["donor"] + embedded.obs["run"].astype(str)
    together, apart = (
        tl.evaluate(embedded, "cluster", use_rep="X_good", batch_key=key)
        for key in ("both", ["donor", "run"])
    )
    pd.testing.assert_frame_equal(together, apart, check_exact=True)


def test_batches_are_scored_on_the_test_rows_of_a_split(embedded: AnnData) -> None:
    embedded.obs["split"] = np.where(np.arange(120) % 4 < 2, "train", "test")
    embedded.obs["run"] = [f"r{number % 2}" for number in range(120)]
    table = tl.evaluate(embedded, "cluster", use_rep="X_good", split_key="split", batch_key="run")
    part = embedded[embedded.obs["split"] == "test"]
    labels, batches = (part.obs[key].astype(str).to_numpy(np.str_) for key in ("cluster", "run"))
    expected = metrics.integration(part.obsm["X_good"], batches, labels)
    assert table.loc["X_good", list(expected)].to_dict() == expected


def test_batches_that_cannot_be_scored_are_said(embedded: AnnData) -> None:
    embedded.obs["one"] = "r0"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"batch_key": "lane"}, r"no batch column 'lane' in `\.obs`; it holds 'cluster', 'donor', 'one'"),
        ({"batch_key": "one"}, r"all rows are of one batch, 'r0'"),
        (
            {"batch_key": "donor", "before_rep": "X_pca"},
            r"'X_pca' in `\.obsm`; it holds 'X_noise', 'X_good'",
        ),
        ({"before_rep": "X_noise"}, r"`before_rep` 'X_noise' serves scores of batches\. Name the column"),
    ]
    for arguments, message in cases:
        with pytest.raises(InputError, match=message):
            tl.evaluate(embedded, "cluster", use_rep="X_good", **arguments)
