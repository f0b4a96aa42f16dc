"""Between rows and what the generator works on: features, letters by a change of odds, and pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from diffaug_bio.core import state as networks_of
from diffaug_bio.core.batches import CodedRows, DenseRows, PixelRows
from diffaug_bio.core.codecs import ComponentCodec, FeatureCodec, PixelCodec, SequenceCodec, as_bytes, coded
from diffaug_bio.core.generation import code_rows, decode, train_decoder
from diffaug_bio.core.runtime import eval_mode, seeded_initialisation
from diffaug_bio.core.sequences import END, N_BASES, OTHER
from tests.core.conftest import (
    LENGTH,
    N_ROWS,
    changed,
    clustered_rows,
    clustered_tokens,
    fit_and_state,
    front_end_for,
    images_for,
    letters_for,
    networks,
    same,
    snapshot,
    values_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def untrained_codec(tokens: Tensor) -> SequenceCodec:
    with seeded_initialisation(0):
        return SequenceCodec(front_end_for(tokens), tokens.shape[1])


def fit_on_letters(config: DiffAugConfig, tokens: Tensor | None = None) -> tuple[Fit, TrainState]:
    tokens = clustered_tokens() if tokens is None else tokens
    return fit_and_state(config, values=tokens, source=letters_for(tokens))


def trained_decoder(config: DiffAugConfig) -> tuple[SequenceCodec, TrainState]:
    """Letters whose decoder alone was trained, for long enough to know the clusters."""
    settings = {"min_steps": 240, "learning_rate": 1e-2}
    fit, state = fit_on_letters(changed(config, train=settings))
    train_decoder(fit, state, code_rows(state, fit.rows))
    assert isinstance(state.codec, SequenceCodec)
    return state.codec.eval().requires_grad_(requires_grad=False), state


def test_features_are_their_own_code(tiny_config: DiffAugConfig) -> None:
    codec, x = FeatureCodec(), clustered_rows()
    assert codec.encode(x) is x
    assert codec.decode(x, source=-x, generator=seeded()) is x
    assert not list(codec.parameters())
    fit, state = fit_and_state(tiny_config)
    assert code_rows(state, fit.rows) is fit.rows
    assert decode(state, x, fit.rows, generator=seeded()) is x
    before = networks(state)
    train_decoder(fit, state, code_rows(state, fit.rows))  # of which there is none
    assert same(networks(state), before)
    assert state.history == []


def test_codes_of_letters_are_components_of_the_front_end(letters_config: DiffAugConfig) -> None:
    fit, state = fit_on_letters(letters_config)
    codes = code_rows(state, fit.rows)
    expected = front_end_for(clustered_tokens())(clustered_tokens())
    assert codes.shape == (N_ROWS, 8)
    assert torch.equal(codes.take(torch.arange(N_ROWS)), expected)


def test_more_letters_than_a_block_are_coded_and_decoded_in_order(
    letters_config: DiffAugConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, state = fit_on_letters(letters_config)
    whole = code_rows(state, fit.rows).take(torch.arange(N_ROWS))
    monkeypatch.setattr(networks_of, "_BLOCK_ROWS", 7)
    by_block = code_rows(state, fit.rows).take(torch.arange(N_ROWS))
    # Products of matrices of other sizes add in another order.
    torch.testing.assert_close(by_block, whole)
    assert torch.equal(decode(state, by_block, fit.rows, generator=seeded()), clustered_tokens())


def test_the_code_of_the_source_is_the_source(letters_config: DiffAugConfig) -> None:
    tokens = clustered_tokens()
    for codec in (untrained_codec(tokens), trained_decoder(letters_config)[0]):
        for seed in range(3):
            found = codec.decode(codec.encode(tokens), source=tokens, generator=seeded(seed))
            assert torch.equal(found, tokens)
            assert found.dtype == torch.uint8


def test_a_code_of_another_cluster_brings_its_letters(letters_config: DiffAugConfig) -> None:
    codec, _ = trained_decoder(letters_config)
    tokens = clustered_tokens()
    other = tokens.roll(-1, 0)  # of the next cluster
    found = codec.decode(codec.encode(other), source=tokens, generator=seeded())
    is_base = tokens < N_BASES
    assert torch.equal(found[~is_base], tokens[~is_base])
    profiles = torch.stack(
        [torch.stack([(tokens[n::3] == base).float().mean(0) for base in range(4)], 1) for n in range(3)]
    )
    cluster = torch.arange(N_ROWS) % 3
    places = torch.arange(LENGTH)

    def likelihood(of: Tensor) -> float:
        share = profiles[of][torch.arange(N_ROWS)[:, None], places, found.long().clamp_max(3)]
        return float(share[is_base].mean())

    assert likelihood((cluster + 1) % 3) > likelihood(cluster) > 0
    assert likelihood((cluster + 1) % 3) > likelihood((cluster + 2) % 3)


def test_a_seed_fixes_the_letters(letters_config: DiffAugConfig) -> None:
    codec, _ = trained_decoder(letters_config)
    tokens = clustered_tokens()
    codes = codec.encode(tokens.roll(-1, 0))
    first, again, other = (codec.decode(codes, source=tokens, generator=seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_decoder_learns_letters_that_have_structure(letters_config: DiffAugConfig) -> None:
    tokens = clustered_tokens()
    codec, state = trained_decoder(letters_config)
    with eval_mode(untrained := untrained_codec(tokens)):
        # Nothing known yet: four bases of about the same odds.
        assert float(untrained.loss(tokens, untrained.encode(tokens))) == pytest.approx(
            math.log(4), abs=0.15
        )
    assert float(codec.loss(tokens, codec.encode(tokens))) < 0.7 * math.log(4)
    assert [event.phase for event in state.history] == ["decoder"] * len(state.history)
    assert min(event.held_out_loss for event in state.history) < 0.85 * math.log(4)


def test_other_letters_and_ends_are_left_out_of_the_loss() -> None:
    tokens = clustered_tokens()
    assert (tokens == OTHER).any()
    assert (tokens == END).any()
    codec = untrained_codec(tokens)
    with torch.no_grad():
        for parameter in codec.decoder.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=seeded()))
        odds = codec.decoder(codec.encode(tokens)).log_softmax(2)
        by_letter = [
            -float(odds[row, place, int(base)])
            for row, letters in enumerate(tokens)
            for place, base in enumerate(letters)
            if base < N_BASES
        ]
        # A mean of some 3000 float32 numbers keeps five digits.
        assert float(codec.loss(tokens, codec.encode(tokens))) == pytest.approx(
            sum(by_letter) / len(by_letter), rel=1e-5
        )


def test_the_decoder_trains_and_nothing_else(letters_config: DiffAugConfig) -> None:
    fit, state = fit_on_letters(letters_config)
    others, decoder = networks(state), snapshot(state.codec)
    front_end = snapshot(nn.ParameterList([state.codec.front_end.weight]))  # type: ignore[union-attr]
    train_decoder(fit, state, code_rows(state, fit.rows))
    assert same(networks(state), others)
    assert not same(snapshot(state.codec), decoder)
    assert same(snapshot(nn.ParameterList([state.codec.front_end.weight])), front_end)  # type: ignore[union-attr]
    assert all(not buffer.requires_grad for buffer in state.codec.buffers())


def test_decoding_leaves_mode_and_gradients_alone(letters_config: DiffAugConfig) -> None:
    fit, state = fit_on_letters(letters_config)
    state.codec.train()
    codes = code_rows(state, fit.rows).take(torch.arange(N_ROWS))
    found = decode(state, codes, DenseRows(clustered_tokens()), generator=seeded())
    assert not codes.requires_grad
    assert not found.requires_grad
    assert state.codec.training


def component_codec(n_values: int = 20, n_components: int = 4) -> ComponentCodec:
    """Orthogonal axes of different lengths, and a mean in the middle of the range."""
    axes, _ = torch.linalg.qr(torch.randn((n_values, n_components), generator=seeded()))
    return ComponentCodec(torch.full((n_values,), 0.5), axes * torch.linspace(0.5, 4, n_components))


def test_components_are_centred_and_projected() -> None:
    codec, x = component_codec(), torch.rand((6, 20), generator=seeded(1))
    codes = codec.encode(x)
    for row, code in zip(x, codes, strict=True):
        for number, axis in enumerate(codec.axes.T):
            assert float(code[number]) == pytest.approx(float(((row - 0.5) * axis).sum()), abs=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(x), codes)
        decoded = codec.decode(codes, source=x, generator=seeded())
    assert torch.equal(decoded, codec.decode(codes, source=x, generator=seeded()))


def test_components_survive_the_way_through_pixels() -> None:
    codec = component_codec()
    # Small enough that no pixel leaves the range.
    codes = 0.2 * torch.randn((50, 4), generator=seeded(2)) * codec.axes.norm(dim=0)
    source = torch.full((50, 20), 0.5) + 0.1 * torch.rand((50, 20), generator=seeded(3))
    kept = codec.decode(codes, source=source, generator=seeded())
    assert kept.dtype == torch.uint8
    assert 0 < int(kept.min()) <= int(kept.max()) < 255
    found = codec.encode(values_of(codec.rows(kept)))
    # Bytes are half a step of 1 / 255 off at most, on each of 20 pixels.
    torch.testing.assert_close(found, codes, rtol=0, atol=float(codec.axes.abs().sum(0).max()) / 510)


def test_what_components_do_not_hold_stays_as_in_the_source() -> None:
    codec = component_codec()
    source = 0.3 + 0.4 * torch.rand((30, 20), generator=seeded(3))
    codes = codec.encode(source) + 0.05 * torch.randn((30, 4), generator=seeded(4))
    changed_by = values_of(codec.rows(codec.decode(codes, source=source, generator=seeded()))) - source
    directions = codec.axes / codec.axes.norm(dim=0)
    outside = changed_by - changed_by @ directions @ directions.T
    assert float(outside.abs().max()) < 1.5 / 255
    assert float(changed_by.abs().max()) > 4 / 255
    # Its own code leaves a row of bytes as it is.
    kept = as_bytes(source)
    x = values_of(PixelRows(DenseRows(kept)))
    assert torch.equal(codec.decode(codec.encode(x), source=x, generator=seeded()), kept)


def test_pixels_beyond_the_range_are_cut_off() -> None:
    codec = component_codec()
    source = torch.full((4, 20), 0.5)
    kept = codec.decode(100 * torch.ones(4, 4), source=source, generator=seeded())
    assert set(kept.flatten().tolist()) == {0, 255}
    assert as_bytes(torch.tensor([-1.0, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 2.0])).tolist() == [
        0,
        0,
        0,
        1,
        255,
        255,
    ]


def test_every_byte_survives_the_way_through_pixels() -> None:
    codec = PixelCodec()
    kept = torch.arange(256, dtype=torch.uint8).view(8, 32)
    x = values_of(codec.rows(kept))
    codes = codec.encode(x)
    assert codes.dtype == torch.float32
    assert -2 <= float(codes.min()) < float(codes.max()) <= 2
    torch.testing.assert_close(codes, 4 * x - 2)
    other = torch.rand(x.shape, generator=seeded())  # of which nothing is kept
    assert torch.equal(codec.decode(codes, source=other, generator=seeded()), kept)


@pytest.mark.parametrize("backbone", ["mlp", "unet"])
def test_codecs_of_images_have_nothing_to_train_or_save(backbone: str) -> None:
    source, pixels = images_for(backbone=backbone)
    codec = source.codec()
    assert not list(codec.parameters())
    assert not codec.state_dict()
    rows = codec.rows(pixels)
    assert isinstance(rows, PixelRows)
    values = values_of(rows)
    assert torch.equal(values, pixels.float() / 255)
    assert 0 <= float(values.min()) < float(values.max()) <= 1


def test_codes_that_are_made_as_fast_as_read_are_not_kept() -> None:
    source, pixels = images_for()
    rows = PixelRows(DenseRows(pixels))
    assert coded(FeatureCodec(), rows) is rows
    assert coded(source.components, rows) is None
    codes = coded(PixelCodec(), rows)
    assert isinstance(codes, CodedRows)
    assert codes.shape == rows.shape
    assert torch.equal(values_of(codes), PixelCodec().encode(values_of(rows)))


@pytest.mark.parametrize("backbone", ["mlp", "unet"])
def test_codes_of_images_become_images(images_config: DiffAugConfig, backbone: str) -> None:
    source, pixels = images_for(backbone=backbone)
    config = changed(images_config, encoder={"kind": "patches"}, generator={"backbone": backbone})
    state = networks_of.build(config, source, seed=0, device=torch.device("cpu"))
    rows = source.codec().rows(pixels)
    codes = code_rows(state, rows)
    assert codes.shape == (len(pixels), source.n_codes)
    assert torch.equal(decode(state, values_of(codes), rows, generator=seeded()), pixels)
