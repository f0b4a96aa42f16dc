"""`DiffAug.augment` and `fit_transform`: generated rows like the input, and the embedding of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import sparse

from diffaug_bio import DiffAug, io, tl
from diffaug_bio.errors import InputError
from diffaug_bio.pp import encode_tokens
from tests.conftest import clustered_dna, shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

IMAGES = shifted_textures(30)
TOKENS = encode_tokens(clustered_dna(30))


@pytest.mark.parametrize("container", ["sparse", "dense"])
def test_counts_stay_counts_as_tl_augment_makes_them(
    counts: AnnData, fitted: DiffAug, container: str
) -> None:
    as_dense = container == "dense"
    matrix = counts.X.toarray() if as_dense else counts.X
    made = fitted.augment(matrix, n_views=2, random_state=3)
    assert made.shape == (2 * counts.n_obs, counts.n_vars)
    assert sparse.issparse(made) is not as_dense
    values = made if as_dense else made.toarray()
    np.testing.assert_array_equal(values, np.rint(np.maximum(values, 0)))
    assert not np.array_equal(values[: counts.n_obs], values[counts.n_obs :])
    expected = tl.augment(counts, fitted, n_views=2, random_state=3).X.toarray()
    np.testing.assert_array_equal(values, expected)


def test_features_may_stand_in_another_order(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    table = pd.DataFrame(counts.X.toarray(), columns=list(counts.var_names))
    model = DiffAug(tiny_config, device="cpu").fit(table)
    turned = table[table.columns[::-1]]
    np.testing.assert_array_equal(model.augment(turned)[:, ::-1], model.augment(table))
    with pytest.raises(InputError, match="39 features"):
        model.augment(counts.X[:, :39])


def test_images_and_tokens_are_generated_as_such(
    images_config: DiffAugConfig, letters_config: DiffAugConfig
) -> None:
    images = DiffAug(images_config, device="cpu").fit(IMAGES).augment(IMAGES, n_views=2)
    assert (images.shape, images.dtype) == ((60, *IMAGES.shape[1:]), np.uint8)
    tokens = DiffAug(letters_config, device="cpu").fit(TOKENS).augment(TOKENS)
    assert (tokens.shape, tokens.dtype) == (TOKENS.shape, np.uint8)
    assert tokens.max() <= TOKENS.max()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_views": 0}, "n_views"),
        ({"random_state": -1}, "random_state"),
        ({"strength": 2.0}, "strength"),
        ({"batch": "a"}, "batch"),
    ],
    ids=["views", "seed", "strength", "batch"],
)
def test_settings_out_of_range_are_refused(
    counts: AnnData, fitted: DiffAug, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted.augment(counts.X, **arguments)
    with pytest.raises(InputError, match="no rows"):
        fitted.augment(counts.X[:0])


@pytest.mark.parametrize("kind", ["sparse", "dense", "no front end", "images", "tokens"])
def test_a_fit_hands_back_the_embedding_that_transform_gives(
    counts: AnnData,
    tiny_config: DiffAugConfig,
    images_config: DiffAugConfig,
    letters_config: DiffAugConfig,
    kind: str,
) -> None:
    rows, config = {
        "sparse": (counts.X, tiny_config),
        "dense": (np.log1p(counts.X.toarray()), tiny_config),
        "no front end": (counts.X, tiny_config.replace(features={"front_end": "none"})),
        "images": (IMAGES, images_config),
        "tokens": (TOKENS, letters_config),
    }[kind]
    model = DiffAug(config, device="cpu")
    embedding = model.fit_transform(rows)
    np.testing.assert_array_equal(embedding, model.transform(rows))
    np.testing.assert_array_equal(embedding, DiffAug(config, device="cpu").fit(rows).transform(rows))


def test_images_of_another_shape_are_no_sources(
    counts: AnnData, fitted: DiffAug, images_config: DiffAugConfig, tmp_path: Path
) -> None:
    model = DiffAug(images_config, device="cpu").fit(shifted_textures(30, (8, 8, 1)))
    other = shifted_textures(6, (8, 8, 1)).reshape(6, 4, 16)
    for number, image in enumerate(other):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    on_disk = io.open_images(io.read(tmp_path, max_bytes=0))
    for images in (other, on_disk):
        for method in (model.augment, model.transform):
            with pytest.raises(InputError, match=r"images of shape \(8, 8, 1\), got .* \(4, 16, 1\)"):
                method(images)
    as_images = counts.X.toarray().astype(np.uint8).reshape(-1, 5, 8)
    with pytest.raises(InputError, match=r"Expected no images, got images of shape \(5, 8, 1\)"):
        fitted.augment(as_images)
