"""The encoder of sequences: padding, strands, what it keeps, where it starts, what its gradients reach."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import EncoderConfig
from diffaug_bio.core.encoders import CNNEncoder, Convolutions
from diffaug_bio.core.runtime import eval_mode, seeded_initialisation
from diffaug_bio.core.sequences import END, OTHER, reverse_complement, spectra
from tests.core.conftest import LENGTH, clustered_tokens, front_end_for

SMALL: dict[str, Any] = {
    "hidden": (16,),
    "n_latent": 6,
    "linear_path": "kept",  # three of eight components, and three columns that are learned
}
Network = TypeVar("Network", bound=nn.Module)
PATHS = ["kept", "learned", "none"]


def encoder_of(n_components: int = 8, **settings: Any) -> CNNEncoder:
    config = EncoderConfig(**{**SMALL, **settings})
    with seeded_initialisation(0):
        return CNNEncoder(front_end_for(clustered_tokens(), n_components), config)


def convolutions_of(n_segments: int) -> Convolutions:
    with seeded_initialisation(0):
        return Convolutions(6, n_channels=8, span=5, n_segments=n_segments)


def used(encoder: Network) -> Network:
    """Give every weight and every running mean a value, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for _ in range(5):
            encoder(clustered_tokens())
    return encoder


def embedded(network: nn.Module, tokens: Tensor) -> Tensor:
    with eval_mode(network):
        y: Tensor = network(tokens)
        return y


def padded(tokens: Tensor, n_more: int) -> Tensor:
    return nn.functional.pad(tokens, (0, n_more), value=END)


@pytest.mark.parametrize("n_more", [1, 2, 3, 4, 17])
@pytest.mark.parametrize("part", ["convolutions", *PATHS])
def test_padding_changes_no_embedding(part: str, n_more: int) -> None:
    encoder = used(encoder_of(linear_path="kept" if part == "convolutions" else part))
    network = encoder.convolutions if part == "convolutions" else encoder
    tokens = clustered_tokens()
    # Sums over more zeros may be rounded in another order.
    torch.testing.assert_close(
        embedded(network, padded(tokens, n_more)), embedded(network, tokens), rtol=1e-5, atol=1e-5
    )


def test_padding_changes_no_embedding_while_training() -> None:
    first, other = (used(encoder_of()).train()(padded(clustered_tokens(), n_more)) for n_more in (0, 9))
    torch.testing.assert_close(first, other, rtol=1e-5, atol=1e-5)


def test_embedding_of_a_sequence_does_not_depend_on_its_batch_in_evaluation() -> None:
    encoder, tokens = used(encoder_of()), clustered_tokens()
    torch.testing.assert_close(embedded(encoder, tokens)[:3], embedded(encoder, tokens[:3]))


@pytest.mark.parametrize(("n_latent", "n_kept"), [(5, 2), (6, 3), (16, 8), (19, 8)], ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_the_leading_components_are_kept_as_they_are(n_latent: int, n_kept: int, *, training: bool) -> None:
    encoder, tokens = used(encoder_of(n_latent=n_latent)).train(training), clustered_tokens()
    y = encoder(tokens)
    assert y.shape == (110, n_latent)
    assert encoder.spectral.n_kept == n_kept
    assert torch.equal(y[:, :n_kept], encoder.front_end(tokens)[:, :n_kept])


def test_beside_kept_components_stands_what_all_paths_learn() -> None:
    encoder, tokens = used(encoder_of()), clustered_tokens()
    components = encoder.front_end(tokens)
    assert encoder.spectral.linear is not None
    learned = (
        embedded(encoder.spectral.linear, components)
        + embedded(encoder.spectral.network, components)
        + embedded(encoder.convolutions, tokens)
    )
    assert learned.shape == (110, 3)
    total = encoder.spectral.total_variance
    assert total is not None
    torch.testing.assert_close(embedded(encoder, tokens)[:, 3:], embedded(total, learned))
    # Together they are brought to the variance of the components, not each for itself.
    in_training = encoder.train()(tokens)[:, 3:]
    assert in_training.var(0).sum().item() == pytest.approx(8.0, rel=1e-3)


def test_beside_kept_components_learning_starts_from_the_front_end() -> None:
    encoder, tokens = encoder_of(), clustered_tokens()
    # Before any training the running average of the variance is 1.
    expected = encoder.front_end(tokens)[:, :3]
    torch.testing.assert_close(embedded(encoder, tokens)[:, 3:], expected * 8**0.5, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_latent", [5, 8, 11], ids=["narrower", "as-wide", "wider"])
def test_with_a_learned_path_the_encoder_starts_as_the_front_end(n_latent: int) -> None:
    encoder, tokens = encoder_of(n_latent=n_latent, linear_path="learned"), clustered_tokens()
    components = encoder.front_end(tokens)
    expected = nn.functional.pad(components, (0, max(0, n_latent - 8)))[:, :n_latent]
    for y in (embedded(encoder, tokens), encoder.train()(tokens)):
        torch.testing.assert_close(y, expected)


def test_without_a_linear_path_the_encoder_starts_as_random_networks() -> None:
    encoder, tokens = encoder_of(linear_path="none"), clustered_tokens()
    assert encoder.spectral.linear is None
    expected = embedded(encoder.spectral.network, encoder.front_end(tokens)) + embedded(
        encoder.convolutions, tokens
    )
    torch.testing.assert_close(embedded(encoder, tokens), expected)
    assert embedded(encoder.convolutions, tokens).std() > 0.01


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_both_strands_get_the_same_embedding_only_where_asked_for(*, training: bool) -> None:
    tokens = clustered_tokens()
    for symmetric in (False, True):
        encoder = used(encoder_of(strand_symmetric=symmetric)).train(training)
        first, other = encoder(tokens), encoder(reverse_complement(tokens))
        assert torch.allclose(first, other, rtol=1e-5, atol=1e-5) == symmetric


def test_where_both_strands_count_as_one_their_mean_components_are_kept() -> None:
    encoder, tokens = used(encoder_of(strand_symmetric=True)), clustered_tokens()
    both = (encoder.front_end(tokens) + encoder.front_end(reverse_complement(tokens))) / 2
    assert torch.equal(embedded(encoder, tokens)[:, :3], both[:, :3])


@pytest.mark.parametrize("symmetric", [False, True], ids=["one-strand", "both-strands"])
@pytest.mark.parametrize("linear_path", PATHS)
def test_gradients_reach_every_parameter(linear_path: str, *, symmetric: bool) -> None:
    encoder = encoder_of(linear_path=linear_path, strand_symmetric=symmetric)
    used(encoder).train()
    y = encoder(clustered_tokens())
    (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_with_a_learned_path_the_first_step_moves_the_last_layers_and_the_second_all() -> None:
    encoder = encoder_of(linear_path="learned")
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    noise = torch.randn((110, 6), generator=torch.Generator().manual_seed(2))
    still: list[set[str]] = []
    for _ in range(2):
        optimizer.zero_grad()
        (encoder(clustered_tokens()) * noise).sum().backward()
        still.append({name for name, p in encoder.named_parameters() if not p.grad.abs().max() > 0})  # type: ignore[union-attr]
        optimizer.step()
    # What stands before a layer of zeros waits for it.
    assert {"convolutions.stem.weight", "spectral.network.0.weight"} <= still[0]
    moved = {"convolutions.head.weight", "spectral.network.3.weight", "spectral.linear.weight"}
    assert not moved & still[0]
    assert not still[1]


SAYS_LITTLE = {"all-N": [OTHER] * LENGTH, "one-letter": [2], "one-N": [OTHER], "no-letter": []}


@pytest.mark.parametrize("symmetric", [False, True], ids=["one-strand", "both-strands"])
@pytest.mark.parametrize("row", SAYS_LITTLE.values(), ids=SAYS_LITTLE)
def test_a_sequence_that_says_little_has_a_finite_embedding(row: list[int], *, symmetric: bool) -> None:
    tokens = clustered_tokens()
    tokens[0] = torch.tensor([*row, *[END] * (LENGTH - len(row))])
    encoder = used(encoder_of(strand_symmetric=symmetric))
    assert embedded(encoder, tokens).isfinite().all()
    torch.testing.assert_close(embedded(encoder, tokens)[1:], embedded(encoder, tokens[1:]))
    y = encoder.train()(tokens)
    y.square().sum().backward()
    assert y.isfinite().all()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("row", SAYS_LITTLE.values(), ids=SAYS_LITTLE)
def test_a_sequence_that_says_little_is_no_outlier_of_the_convolutions(row: list[int]) -> None:
    tokens = clustered_tokens()
    tokens[0] = torch.tensor([*row, *[END] * (LENGTH - len(row))])
    encoder = used(encoder_of())
    convolutions = encoder.convolutions.train()
    seen: list[Tensor] = []
    convolutions.norm.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].detach()))
    convolutions(tokens)
    # Batch normalisation would shrink all others where one of 110 lay hundreds of deviations away.
    others = seen[0][1:]
    assert ((seen[0][0] - others.mean(0)).abs() < 10 * (1 + others.std(0))).all()


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 30])
@pytest.mark.parametrize("n_segments", [1, 3, 40])
def test_sequences_of_any_length_have_any_number_of_segments(length: int, n_segments: int) -> None:
    convolutions = used(convolutions_of(n_segments=n_segments))
    assert embedded(convolutions, clustered_tokens()[:, :length]).isfinite().all()


def pooled_slowly(hidden: Tensor, n_present: int, n_segments: int) -> list[float]:
    """Means of each segment, then the largest of all, of one sequence `(n_channels, length)`."""
    pooled: list[float] = []
    for channel in hidden[:, :n_present].tolist():
        for segment in range(n_segments):
            inside = [
                value for place, value in enumerate(channel) if place * n_segments // n_present == segment
            ]
            pooled.append(sum(inside) / len(inside) if inside else 0.0)
    return [*pooled, *(max(channel) for channel in hidden[:, :n_present].tolist())]


@pytest.mark.parametrize("n_segments", [1, 3, 5])
def test_pooling_is_that_of_a_loop_over_what_is_there(n_segments: int) -> None:
    convolutions = convolutions_of(n_segments=n_segments)
    n_present = torch.tensor([12, 7, 4, 1])
    present = (torch.arange(12) < n_present[:, None])[:, None].float()
    hidden = torch.randn((4, 8, 12), generator=torch.Generator().manual_seed(0)) * present
    found = convolutions._pooled(hidden, present)
    expected = [pooled_slowly(hidden[row], int(n_present[row]), n_segments) for row in range(4)]
    # The same means, in another order: by channel here, by segment or by channel there.
    torch.testing.assert_close(found.sort(1).values, torch.tensor(expected).sort(1).values)
    torch.testing.assert_close(found[:, -8:], torch.tensor(expected)[:, -8:])


def test_where_a_motif_stands_counts_only_with_segments() -> None:
    motif = torch.tensor([2, 0, 3, 3, 0, 1, 0, 2], dtype=torch.uint8)
    tokens = torch.zeros((2, 192), dtype=torch.uint8)
    # Far from either end, whose padding the filters see, and whole strides apart.
    tokens[0, 64:72], tokens[1, 120:128] = motif, motif
    for n_segments, counts in [(1, False), (4, True)]:
        convolutions = used(convolutions_of(n_segments=n_segments))
        first, other = embedded(convolutions, tokens)
        assert torch.allclose(first, other, atol=1e-4) != counts


def test_convolutions_and_words_run_on_the_meta_device() -> None:
    # The front end does not: it switches autocast off, which knows no meta device.
    with torch.device("meta"):
        tokens = torch.zeros((4, LENGTH), dtype=torch.uint8)
        y = Convolutions(4)(reverse_complement(tokens))
        words = spectra(tokens, ((2, 3), (1, 10)))
    assert y.device.type == words.device.type == "meta"
    assert (y.shape, words.shape) == ((4, 4), (4, 3 * 16 + 40))


@pytest.mark.gpu
def test_cuda_and_cpu_embed_the_same_with_the_same_weights() -> None:
    encoder, tokens = used(encoder_of(strand_symmetric=True)), clustered_tokens()
    expected = embedded(encoder, tokens)
    # Sums go in another order on each device, and convolutions run in TF32.
    torch.testing.assert_close(
        embedded(encoder.cuda(), tokens.cuda()).cpu(), expected, rtol=1e-2, atol=1e-2
    )
