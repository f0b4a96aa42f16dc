"""The section `[batches]` of a configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from diffaug_bio.config import BatchConfig, DiffAugConfig
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.config import DataKind


def test_names_of_batches_survive_the_way_through_json() -> None:
    config = DiffAugConfig().with_batches(("a", "b c", "ä"))
    table = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert table["batches"]["names"] == ["a", "b c", "ä"]
    again = DiffAugConfig.from_dict(table, source="test")
    assert again == config
    assert isinstance(again.batches.names, tuple)


def test_with_batches_the_loss_compares_embeddings_and_without_nothing_changes() -> None:
    config = DiffAugConfig().replace(encoder={"n_latent": 7})
    assert config.with_batches(("a", "b")).encoder.n_projection == 0
    assert config.with_batches(("a", "b")).encoder.n_compared(0) == config.encoder.n_latent
    assert config.with_batches(()) == config
    named = config.replace(batches={"names": ["x"]})
    assert named.with_batches(()) == config


@pytest.mark.parametrize(
    ("path", "expected"), [("auto", "learned"), ("learned", "learned"), ("none", "none")]
)
@pytest.mark.parametrize("kind", ["expression", "measured", "words"])
def test_with_batches_no_components_are_kept(kind: DataKind, path: str, expected: str) -> None:
    config = DiffAugConfig().replace(encoder={"linear_path": path})
    with_batches = config.with_batches(("a", "b")).for_kind(kind)
    assert with_batches.encoder.linear_path == expected
    assert with_batches.encoder.n_kept(50) == 0
    assert with_batches.for_kind(kind) == with_batches
    without = config.with_batches(()).for_kind(kind)
    assert without.encoder.linear_path == ("kept" if path == "auto" else path)


def test_with_batches_rows_are_generated_from_pure_noise() -> None:
    config = DiffAugConfig()
    assert config.for_kind("expression").generator.noising == 0.5
    named = config.with_batches(("a", "b"))
    assert named.for_kind("expression").generator.noising == 1
    asked = named.replace(generator={"noising": 0.7}).for_kind("expression")
    assert asked.generator.noising == 0.7
    assert asked.for_kind("expression") == asked


def test_toml_sets_batches(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[batches]\nshift_weight = 3\npartner_fraction = 0.5\nn_partners = 4\n")
    found = DiffAugConfig.from_toml(path).batches
    assert found == BatchConfig(shift_weight=3.0, partner_fraction=0.5, n_partners=4)
    assert isinstance(found.shift_weight, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"names": "a"}, r"`batches\.names` has to be a list of words"),
        ({"names": ["a", 1]}, r"`batches\.names` has to be a list of words"),
        ({"shift": 1.0}, r"unknown key batches\.shift.*partner_fraction"),
        ({"n_partners": 1.5}, r"`batches\.n_partners` has to be a whole number"),
    ],
)
def test_wrong_tables_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiffAugConfig().replace(batches=table)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"partner_fraction": 1.1}, r"`partner_fraction` is a share from 0 to 1, got 1\.1"),
        ({"counterfactual_fraction": -0.1}, r"`counterfactual_fraction` is a share from 0 to 1, got -0\.1"),
        ({"partner_fraction": float("nan")}, r"`partner_fraction` is a share"),
        ({"shift_weight": -1.0}, r"`shift_weight` has to be at least 0, got -1\.0"),
        ({"shift_weight": float("nan")}, r"`shift_weight` has to be at least 0, got nan"),
        ({"shift_weight": float("inf")}, r"`shift_weight` has to be at most 1000000, got inf"),
        ({"n_neighbors": 0}, r"`n_neighbors` has to be at least 1, got 0"),
        ({"n_partners": 0}, r"`n_partners` has to be at least 1, got 0"),
    ],
)
def test_values_out_of_range_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BatchConfig(**values)
