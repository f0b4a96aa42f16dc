"""Choosing the matrix to embed from an AnnData."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from diffaug_bio._checks import check_held
from diffaug_bio._keys import COLUMNS_KEY, IMAGE_SHAPE_KEY, QUALITY_KEY, SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.columns import coded_columns, declared_columns, recoded
from diffaug_bio.choose.images import are_images, image_matrix, image_shape
from diffaug_bio.choose.names import check_known, feature_names
from diffaug_bio.choose.states import stands_in, suggest_matrix
from diffaug_bio.config import FeatureView
from diffaug_bio.config.kinds import holds_images, reads_letters
from diffaug_bio.errors import InputError
from diffaug_bio.io.dna import check_letters
from diffaug_bio.matrix.validation import as_matrix
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.pp import KmerEncoding, encode_tokens

if TYPE_CHECKING:
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


def choose_matrix(
    adata: AnnData, choice: MatrixChoice, *, model: DiffAug | None = None
) -> tuple[Matrix, list[str] | None]:
    """Find a matrix, and the unique names of its columns; None for pixels.

    The matrix is dense or CSR, not copied if it is that already, or images that stay on the disk. For a
    fitted model, sequences get as many tokens as it knows, and images have to be of its shape (else
    InputError); without one, sequences get as many tokens as the longest has.
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
    if model is not None:
        matrix, names = recoded(adata, matrix, names, model)
    known = None if model is None else getattr(model, "feature_names_in_", None)
    if model is not None and known is not None:
        used = model.features_.used
        check_known(names, [str(name) for name in known], used=used, var=var, var_key=choice.var_key)
    return matrix, names


def later_choice(adata: AnnData, choice: MatrixChoice, model: DiffAug) -> MatrixChoice:
    """Take the matrix that a model was fitted on, unless another one is asked for.

    `.X` stands in for a missing layer or `.raw` if it holds expression of the same kind. The column that
    named the model's features names those of the data, too, if it is there.
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
    """Recognise images, and decide between letters and counted words of sequences, if no matrix is named.

    Letters (the encoder `"cnn"`) are taken if all sequences have one length, up to 512: such sets are cut
    around a site, so that positions mean something. Words are counted (`"mlp"`) otherwise, and in reads
    with qualities and for views of features. Raises InputError if letters are asked for in vain.
    """
    may_be_images = holds_images(config.features.input_state) is not False
    if choice.is_open and IMAGE_SHAPE_KEY in adata.uns and may_be_images:
        return replace(choice, images=True)
    encoder, has_letters = config.encoder.kind, SEQUENCE_KEY in adata.obs
    reads, is_words = reads_letters(encoder), config.features.input_state == "words"
    if is_words and (reads or choice.sequences):
        msg = (
            "`input_state` 'words' says that words are counted, and the encoder of letters was asked for. "
            "Leave one of them out."
        )
        raise InputError(msg)
    if reads and not choice.sequences and (not choice.is_open or not has_letters):
        msg = (
            "The encoder 'cnn' reads letters of sequences, and these data have none in "
            f"`.obs[{SEQUENCE_KEY!r}]`, or another matrix was asked for. Read a FASTA file, or make "
            "the data with `diffaug_bio.io.from_sequences`."
        )
        raise InputError(msg)
    if not choice.is_open or not has_letters:
        return choice
    if reads:
        return replace(choice, sequences=True)
    if _KMERS_KEY not in adata.uns:  # letters beside features of another kind
        return choice
    if encoder == "auto" and _suits_letters(adata, config, are_words=is_words):
        return replace(choice, sequences=True)
    return replace(choice, kmers=KmerEncoding.from_dict(adata.uns[_KMERS_KEY], source="`.uns`"))


def _suits_letters(adata: AnnData, config: DiffAugConfig, *, are_words: bool) -> bool:
    """Decide whether to take the encoder of letters, and log the reason."""
    lengths = adata.obs[SEQUENCE_KEY].astype(str).str.len()
    against = ""
    if are_words:
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
    """Put the kind of data, and columns that are no plain numbers, into a configuration without them."""
    declared, found = config.features.input_state, declared_state(adata, choice)
    if found == "sequence" and declared not in {"auto", "sequence"}:
        msg = (
            f"These are letters of sequences, and `input_state` (`--input-state`) says {declared!r}. Leave "
            "it out, or count words of the sequences (the encoder 'mlp', `--k 4`)."
        )
        raise InputError(msg)
    if config.features.columns:
        return config
    if declared not in {"auto", "continuous"}:
        if found == "continuous":
            logger.warning(
                "`input_state` %r is declared, and `.uns[%r]` describes columns of a table: their features "
                "count as plain numbers. Leave `input_state` out to have them as columns.",
                declared,
                COLUMNS_KEY,
            )
        return config
    known: dict[str, Any] = {"input_state": found} if declared == "auto" else {}
    if choice.images and declared == "auto":
        known["image_shape"] = list(image_shape(adata))
    names = _names(adata, choice) if found in {"auto", "continuous"} else []
    if any("=" in name for name in names) or (names and COLUMNS_KEY in adata.uns):
        matrix, _ = _variables(adata, choice)
        known["columns"] = declared_columns(adata, matrix, names).to_setting()
    return config.replace(features=known)


def declared_state(adata: AnnData, choice: MatrixChoice) -> DeclaredState:
    """Name the kind of data where it is known without looking at values; else "auto"."""
    if choice.images:
        return "image"
    if choice.use_rep is not None:
        return "representation"
    if choice.sequences:
        return "sequence"
    if choice.kmers is not None:
        return "words"
    if choice.is_open and _KMERS_KEY in adata.uns:
        return "words"
    return "continuous" if coded_columns(adata, _names(adata, choice)) else "auto"


def _names(adata: AnnData, choice: MatrixChoice) -> list[str]:
    """Name the columns of `.raw.X`, a layer or `.X`, as they are, for a look at which are there."""
    var = adata.raw.var if choice.use_raw and adata.raw is not None else adata.var
    return [str(name) for name in (var.index if choice.var_key is None else var[choice.var_key])]


def _variables(adata: AnnData, choice: MatrixChoice) -> tuple[Matrix, pd.DataFrame]:
    """Find `.raw.X`, a layer or `.X`, and the `.var` with the names of its columns."""
    if choice.use_raw:
        if adata.raw is None:
            msg = "There is no `.raw` in this AnnData; leave `use_raw` out to embed `.X`."
            raise InputError(msg)
        return as_matrix(adata.raw.X), adata.raw.var
    if (layer := choice.layer) is not None:
        check_held(layer, adata.layers, what="layer", where="`.layers`")
        return as_matrix(adata.layers[layer]), adata.var
    if adata.X is None:
        msg = f"This AnnData has no `.X`; name a layer, of which it has {shorten(adata.layers) or 'none'}."
        raise InputError(msg)
    return as_matrix(adata.X), adata.var


def _representation(adata: AnnData, use_rep: str) -> tuple[Matrix, list[str]]:
    """Find an entry of `.obsm`, and number its columns."""
    check_held(use_rep, adata.obsm, what="representation", where="`.obsm`")
    matrix = adata.obsm[use_rep]
    matrix = as_matrix(matrix.to_numpy() if hasattr(matrix, "to_numpy") else matrix)
    return matrix, [f"{use_rep}_{number}" for number in range(1, matrix.shape[1] + 1)]


def _tokens(adata: AnnData, length: int | None) -> NDArray[np.uint8]:
    """Encode letters as tokens; longer sequences than a model knows are cut, with a warning."""
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
    """Tell whether `.X` counts words in this way, or there are no letters to count again."""
    if SEQUENCE_KEY not in adata.obs:
        return True
    held = adata.uns.get(_KMERS_KEY)
    return held is not None and KmerEncoding.from_dict(held, source="`.uns`") == kmers
