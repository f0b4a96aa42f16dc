"""Choosing what to embed from an AnnData, and writing results into it."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self, get_args

from diffaug_bio._keys import BATCH_ENTRY, IMAGE_SHAPE_KEY, QUALITY_KEY, SEQUENCE_KEY, SPLIT_ENTRY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.images import are_images, image_matrix, image_shape
from diffaug_bio.choose.names import check_known, feature_names
from diffaug_bio.choose.states import stands_in, suggest_matrix
from diffaug_bio.config import FeatureView
from diffaug_bio.errors import InputError
from diffaug_bio.features import used_features
from diffaug_bio.io.dna import check_letters
from diffaug_bio.matrix.validation import as_matrix
from diffaug_bio.pp import KmerEncoding, encode_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config import DeclaredState, DiffAugConfig
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)

_KMERS_KEY = "kmers"
_USUAL_LENGTH = 512  # up to which letters are taken without being asked for: cost grows with length
_MAX_LENGTH = 20_000  # the decoder has 2048 weights for each letter


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixChoice:
    """Which matrix of an AnnData to embed; `.X` without any."""

    layer: str | None = None
    """Name in `.layers`."""
    use_rep: str | None = None
    """Name in `.obsm`."""
    use_raw: bool = False
    """Whether to take `.raw.X`."""
    sequences: bool = False
    """Whether to take the letters in `.obs["sequence"]`, as tokens."""
    kmers: KmerEncoding | None = None
    """How `.X` counts words of sequences; where it does not, they are counted anew."""
    images: bool = False
    """Whether rows are images: the pixels in `.X`, or the files that `.obs["image"]` names."""
    var_key: str | None = None
    """Column of `.var`, or with `use_raw` of `.raw.var`, that names the features in place of the index."""

    def __post_init__(self) -> None:
        given = [
            self.layer is not None,
            self.use_rep is not None,
            self.use_raw,
            self.sequences,
            self.images,
        ]
        if sum(given) > 1:
            msg = (
                "Give at most one of `layer`, `use_rep`, `use_raw`, `sequences` and `images`: each names "
                "another matrix."
            )
            raise InputError(msg)
        is_named = self.use_rep is None and self.kmers is None and not self.sequences and not self.images
        if self.var_key is not None and not is_named:
            msg = (
                f"`var_key` {self.var_key!r} names the columns of `.X`, of a layer or of `.raw`. Entries "
                "of `.obsm`, words and letters of sequences, and images have no names in `.var`: "
                "leave it out."
            )
            raise InputError(msg)

    @property
    def is_open(self) -> bool:
        """Whether no matrix is asked for, whatever names its columns."""
        return replace(self, var_key=None) == MatrixChoice()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a model folder and `run.json` hold them.

        What a model does not need is left out where older versions, which read its format, do not know it.
        """
        table = {**asdict(self), "kmers": None if self.kmers is None else self.kmers.to_dict()}
        if self.var_key is None:
            del table["var_key"]
        return table

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_dict` returned; what is not there is as in an older model.

        A model's `source_` says beside the matrix which rows were fitted, in what batches: no part of the
        choice.
        """
        kmers = table.get("kmers")
        encoding = None if kmers is None else KmerEncoding.from_dict(kmers, source="the model")
        chosen = {name: value for name, value in table.items() if name not in {SPLIT_ENTRY, BATCH_ENTRY}}
        return cls(**{**chosen, "kmers": encoding})


def choose_matrix(
    adata: AnnData, choice: MatrixChoice, *, model: DiffAug | None = None
) -> tuple[Matrix, list[str] | None]:
    """Find the matrix that was asked for, and the names of its columns.

    Parameters
    ----------
    adata
        Rows are observations.
    choice
        Which matrix.
    model
        The fitted model that is to see the matrix: sequences get as many tokens as it knows, and images
        have to be of the shape that it was fitted on. Without it, as many tokens as the longest has.

    Returns
    -------
    The matrix, dense or CSR and no copy where it is that already, or images that stay on the disk; and
    unique names, which pixels do not have.

    Raises
    ------
    InputError
        If what was asked for is not there, or images are of another shape than the model's.
    """
    if adata.isbacked:
        msg = "This AnnData is backed by a file. Load it with `adata = adata.to_memory()` first."
        raise InputError(msg)
    if choice.is_open and model is not None and are_images(adata, model):
        choice = replace(choice, images=True)
    if choice.images:
        return image_matrix(adata, None if model is None else model.config_.features.image_shape), None
    if choice.sequences:
        tokens = _tokens(adata, None if model is None else model.n_features_in_)
        return tokens, [f"position_{number}" for number in range(1, tokens.shape[1] + 1)]
    if choice.kmers is not None and not _counts_like(adata, choice.kmers):
        return choice.kmers.encode(_sequences(adata))
    if choice.use_rep is not None:
        return _representation(adata, choice.use_rep)
    matrix, var = _variables(adata, choice)
    if model is not None and model.config_.features.input_state == "auto":
        suggest_matrix(adata, matrix, model.features_.state)
    names = feature_names(var, choice.var_key)
    known = None if model is None else getattr(model, "feature_names_in_", None)
    if model is not None and known is not None:
        used = used_features(model.features_)
        check_known(names, [str(name) for name in known], used=used, var=var, var_key=choice.var_key)
    return matrix, names


def later_choice(adata: AnnData, choice: MatrixChoice, model: DiffAug) -> MatrixChoice:
    """Complete what is asked for by what a model was fitted on.

    Parameters
    ----------
    adata
        Rows are observations.
    choice
        What is asked for; without a matrix, the one that the model was fitted on is taken, or `.X` where
        that is not there and `.X` holds expression of the same kind.
    model
        A fitted model. The column that named its features names those of the data too, if it is there.
    """
    fitted = MatrixChoice.from_dict(model.source_)
    resolved = choice
    if choice.is_open and not stands_in(adata, fitted.layer, model.features_.state, use_raw=fitted.use_raw):
        resolved = replace(fitted, var_key=choice.var_key)
    if resolved.var_key is not None or fitted.var_key is None or resolved.use_rep is not None:
        return resolved
    raw = adata.raw if resolved.use_raw else adata
    if raw is None or fitted.var_key not in raw.var:
        logger.info(
            "The model's features are named by `.var[%r]`, these data's by `.var_names`.", fitted.var_key
        )
        return resolved
    return replace(resolved, var_key=fitted.var_key)


def resolve_choice(adata: AnnData, choice: MatrixChoice, config: DiffAugConfig) -> MatrixChoice:
    """Find out whether rows are images, and decide between letters and counted words of sequences.

    Only where nothing else is asked for.

    Letters (the encoder `"cnn"`) are taken where all sequences are of one length, up to 512: such sets are
    cut around a site, and where a letter stands means something. Of longer ones, of different lengths, of
    reads with qualities, or for a view of features, words are counted (`"mlp"`).

    Raises
    ------
    InputError
        If letters are asked for, but there are none, or words are declared.
    """
    is_open = config.features.input_state in {"auto", "image"}
    if choice.is_open and IMAGE_SHAPE_KEY in adata.uns and is_open:
        return replace(choice, images=True)
    encoder, has_letters = config.encoder.kind, SEQUENCE_KEY in adata.obs
    if config.features.input_state == "words" and (encoder == "cnn" or choice.sequences):
        msg = (
            "`input_state` 'words' says that words are counted, and the encoder of letters was asked for. "
            "Leave one of them out."
        )
        raise InputError(msg)
    if encoder == "cnn" and not choice.sequences and (not choice.is_open or not has_letters):
        msg = (
            "The encoder 'cnn' reads letters of sequences, and these data have none in "
            f"`.obs[{SEQUENCE_KEY!r}]`, or another matrix was asked for. Read a FASTA file, or make "
            "the data with `diffaug_bio.io.from_sequences`."
        )
        raise InputError(msg)
    if not choice.is_open or not has_letters:
        return choice
    if encoder == "cnn":
        return replace(choice, sequences=True)
    if _KMERS_KEY not in adata.uns:  # letters beside features of another kind
        return choice
    if encoder == "auto" and _suits_letters(adata, config):
        return replace(choice, sequences=True)
    return replace(choice, kmers=KmerEncoding.from_dict(adata.uns[_KMERS_KEY], source="`.uns`"))


def _suits_letters(adata: AnnData, config: DiffAugConfig) -> bool:
    """Whether the encoder of letters is to be taken, which is said in the log."""
    lengths = adata.obs[SEQUENCE_KEY].astype(str).str.len()
    against = ""
    if config.features.input_state == "words":
        against = "are declared as counted words"
    elif lengths.nunique() != 1:
        against = "are of different lengths"
    elif lengths.iloc[0] > _USUAL_LENGTH:
        against = f"are of more than {_USUAL_LENGTH} letters"
    elif QUALITY_KEY in adata.obs:
        against = "are reads with qualities"
    elif config.train.warmup_view in get_args(FeatureView):
        against = f"are to be seen by {config.train.warmup_view!r}, a view of features"
    logger.info(
        "The sequences %s: the encoder is %r, on %s.",
        against or "are of one length",
        "mlp" if against else "cnn",
        "counted words" if against else "their letters",
    )
    return not against


def declare(config: DiffAugConfig, adata: AnnData, choice: MatrixChoice) -> DiffAugConfig:
    """Put what a matrix is into a configuration that leaves it open."""
    if config.features.input_state != "auto":
        return config
    known: dict[str, Any] = {"input_state": declared_state(adata, choice)}
    if choice.images:
        known["image_shape"] = list(image_shape(adata))
    return config.replace(features=known)


def declared_state(adata: AnnData, choice: MatrixChoice) -> DeclaredState:
    """Say what a matrix is where that is known without looking at its values."""
    if choice.images:
        return "image"
    if choice.use_rep is not None:
        return "representation"
    if choice.sequences:
        return "sequence"
    if choice.kmers is not None:
        return "words"
    return "words" if choice.is_open and _KMERS_KEY in adata.uns else "auto"


def _variables(adata: AnnData, choice: MatrixChoice) -> tuple[Matrix, pd.DataFrame]:
    """Find a matrix whose columns have names: `.raw.X`, a layer or `.X`; and its `.var`."""
    if choice.use_raw:
        if adata.raw is None:
            msg = "There is no `.raw` in this AnnData; leave `use_raw` out to embed `.X`."
            raise InputError(msg)
        return as_matrix(adata.raw.X), adata.raw.var
    if (layer := choice.layer) is not None:
        if layer not in adata.layers:
            msg = f"There is no layer {layer!r}; `.layers` holds {shorten(adata.layers) or 'nothing'}."
            raise InputError(msg)
        return as_matrix(adata.layers[layer]), adata.var
    if adata.X is None:
        msg = f"This AnnData has no `.X`; name a layer, of which it has {shorten(adata.layers) or 'none'}."
        raise InputError(msg)
    return as_matrix(adata.X), adata.var


def _representation(adata: AnnData, use_rep: str) -> tuple[Matrix, list[str]]:
    """Find an entry of `.obsm`, and number its columns."""
    if use_rep not in adata.obsm:
        msg = f"There is no {use_rep!r} in `.obsm`; it holds {shorten(adata.obsm) or 'nothing'}."
        raise InputError(msg)
    matrix = adata.obsm[use_rep]
    matrix = as_matrix(matrix.to_numpy() if hasattr(matrix, "to_numpy") else matrix)
    return matrix, [f"{use_rep}_{number}" for number in range(1, matrix.shape[1] + 1)]


def _tokens(adata: AnnData, length: int | None) -> NDArray[np.uint8]:
    """Letters as tokens; what is longer than a model knows is cut, and said."""
    sequences = _sequences(adata)
    longest = max(map(len, sequences), default=0)
    if length is None and longest > _MAX_LENGTH:
        msg = (
            f"The encoder 'cnn' reads up to {_MAX_LENGTH} letters, and the longest sequence has {longest}. "
            "Take the encoder 'mlp', which counts words, or cut windows."
        )
        raise InputError(msg)
    if length is not None and (n_longer := sum(len(letters) > length for letters in sequences)):
        logger.warning(
            "%d sequences are longer than the %d letters of the model: their ends are left out.",
            n_longer,
            length,
        )
    return encode_tokens(sequences, length=length)


def _sequences(adata: AnnData) -> list[str]:
    if SEQUENCE_KEY not in adata.obs:
        msg = (
            f"The model reads sequences, and these data have none in `.obs[{SEQUENCE_KEY!r}]`, but columns "
            f"{shorten(adata.obs) or 'none'}. Read a FASTA file, or use `diffaug_bio.io.from_sequences`."
        )
        raise InputError(msg)
    column = adata.obs[SEQUENCE_KEY]
    if (missing := column.isna()).any():
        msg = (
            f"{int(missing.sum())} rows have no letters in `.obs[{SEQUENCE_KEY!r}]`, the first "
            f"{adata.obs_names[missing.to_numpy()][0]!r}. Leave them out."
        )
        raise InputError(msg)
    names = adata.obs_names
    return check_letters(
        [str(letters) for letters in column],
        where=lambda row: f"`.obs[{SEQUENCE_KEY!r}]` of {names[row]!r}",
        if_empty="Leave that row out.",
    ).sequences


def _counts_like(adata: AnnData, kmers: KmerEncoding) -> bool:
    """Whether `.X` counts words this way, or there are no letters to count anew."""
    if SEQUENCE_KEY not in adata.obs:
        return True
    held = adata.uns.get(_KMERS_KEY)
    return held is not None and KmerEncoding.from_dict(held, source="`.uns`") == kmers
