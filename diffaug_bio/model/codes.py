"""A fitted model applied to rows: preparing, embedding and generating them, in the space of its codes.

A code is what the generator works on: components, standardised features without a front end, pixels of a
U-Net, or an image's components.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from diffaug_bio._checks import check_seed
from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.generated import decoded_rows, embedded, generated_codes, sampling_config
from diffaug_bio.core.runtime import resolve_device
from diffaug_bio.errors import InputError
from diffaug_bio.machine.threads import limited_to, short_work
from diffaug_bio.matrix.validation import check_shape
from diffaug_bio.model.batches import batch_numbers
from diffaug_bio.model.rows import prepared_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio.core.batches import Rows
    from diffaug_bio.model.estimator import DiffAug


def few_threads(model: DiffAug) -> AbstractContextManager[None]:
    """Compute on one thread, or on as many as the model was given."""
    return limited_to(short_work(model.threads))


def check_generator(*, exists: bool) -> None:
    """Raise an `InputError` if a model has no generator."""
    if not exists:
        msg = (
            "This model has no generator: it was fitted with `rounds = 0` or `generated_views = 'none'`. "
            "Fit one with a generator, as the presets do."
        )
        raise InputError(msg)


def prepare(model: DiffAug, X: object, feature_names: Sequence[str] | None) -> Rows:  # noqa: N803
    """Check rows that come after the fit, and preprocess them for the networks."""
    return prepared_rows(
        model.features_,
        X,
        model.config_,
        feature_names=feature_names,
        training_names=getattr(model, "feature_names_in_", None),
        device=resolve_device(model.device),
    )


def embed(model: DiffAug, rows: Rows) -> NDArray[np.float32]:
    """Embed prepared rows; an embedding that is not finite is an error. Shape: `(n_obs, n_latent)`."""
    return cast("NDArray[np.float32]", embedded(model.state_.encoder, rows).cpu().numpy())


def embed_held(model: DiffAug, rows: NDArray[np.generic]) -> NDArray[np.float32]:
    """Embed rows that are preprocessed already, of shape `(n_obs, features_.n_features)`."""
    with few_threads(model):
        return embed(model, model.features_.held(rows, resolve_device(model.device)))


def generate_codes(
    model: DiffAug,
    X: object,  # noqa: N803 - scikit-learn's name
    *,
    random_state: int = 0,
    feature_names: Sequence[str] | None = None,
    strength: float | None = None,
    guidance: float | None = None,
    batch: str | Sequence[str | None] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Generate a code from each row, as the training generated positives.

    Arguments are those of :meth:`DiffAug.augment`, but strength and guidance are the training's if left
    out. Returns the codes of the rows and the generated codes, both of shape `(n_obs, n_codes)`.
    """
    check_seed(random_state)
    with few_threads(model):
        rows = prepare(model, X, feature_names)
        check_generator(exists=model.has_generator)
        config = sampling_config(model.config_, strength=strength, guidance=guidance)
        number = batch_numbers(batch, config, rows.shape[0])
        found = generated_codes(model.state_, rows, config, seed=random_state, batch=number)
    return found[0].cpu().numpy(), found[1].cpu().numpy()


def decode_codes(
    model: DiffAug,
    codes: NDArray[np.float32],
    X: object,  # noqa: N803 - scikit-learn's name
    *,
    random_state: int = 0,
) -> NDArray[np.generic]:
    """Turn codes generated from rows `X` into tokens, pixels, or the features themselves.

    Shapes: `(n_obs, n_codes)` of the codes, `(n_obs, features_.n_features)` of the result.
    """
    if not model.features_.is_decoded:
        return codes
    check_generator(exists=model.has_generator)
    rows = prepare(model, X, None)
    check_shape(codes, (rows.shape[0], model.features_.inputs(model.config_).n_codes), what="codes")
    with few_threads(model):
        decoded = decoded_rows(model.state_, codes, rows, seed=random_state)
    return cast("NDArray[np.generic]", decoded.cpu().numpy())


def components_of(model: DiffAug, rows: Rows) -> NDArray[np.float32] | None:
    """Return the components that prepared rows hold, without a copy; None of other rows."""
    if not model.features_.is_decoded and isinstance(rows, DenseRows):
        return cast("NDArray[np.float32]", rows.values.cpu().numpy())
    return None
