"""`tl.embed`: fit DiffAug to an AnnData and keep the embedding in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from diffaug_bio._keys import BATCH_ENTRY, OBSM_KEY, SPLIT_ENTRY
from diffaug_bio.choose.batches import batches_of
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix, declare, resolve_choice
from diffaug_bio.choose.split import choose_split, rows_to_fit
from diffaug_bio.config import DiffAugConfig, resolve_config
from diffaug_bio.errors import InputError
from diffaug_bio.tl._results import write_embedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from diffaug_bio.config import Config, EncoderKind, Preset
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


def embed(
    adata: AnnData,
    *,
    preset: Preset = "default",
    config: Config | None = None,
    n_latent: int | None = None,
    encoder: EncoderKind | None = None,
    warmup_view: str | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    split_key: str | None = None,
    batch_key: str | Sequence[str] | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    key_added: str = OBSM_KEY,
    copy: bool = False,
) -> AnnData | None:
    """Embed observations without labels, with positives from a diffusion model [1]_.

    An encoder and a conditional diffusion generator are trained in turn on these observations; counts
    are preprocessed as scanpy users expect, and the log (`logging.basicConfig(level="INFO")` shows it)
    says what the input was taken for. To keep the fitted model and embed new observations with it, use
    :func:`diffaug_bio.tl.fit_model` or the command `diffaug-bio fit`, then :func:`diffaug_bio.tl.project`.

    Parameters
    ----------
    adata
        Rows are observations. Nothing but the fields below is changed.
    preset
        `"quick"`, `"default"` or `"paper"`.
    config
        A whole configuration in place of the preset, or a TOML file that changes it.
    n_latent
        Width of the embedding, in place of the configured one: with the presets `"default"` and `"quick"`
        128 for expression (counts of any kind, logged or scaled expression), and 256 for measured
        features, sequences and images.
    encoder
        Of sequences: `"mlp"` embeds counted words, `"cnn"` letters; `"auto"` takes letters where all
        sequences are of one length up to 512, and are no reads with qualities. Of images `"patches"`,
        `"convnet"` or `"resnet18"`, see :class:`~diffaug_bio.config.EncoderConfig`.
    warmup_view
        Hand-made view, in place of the configured one; of images, `"hand"` is SimCLR's.
    layer
        Embed this layer in place of `.X`.
    use_rep
        Embed this entry of `.obsm`, taken as it is.
    use_raw
        Embed `.raw.X`.
    var_key
        Column of `.var` (with `use_raw`, of `.raw.var`) that names the features in place of `.var_names`:
        features of later data are matched by these names.
    split_key
        Column of `.obs` with "train" and "test", the split that the data come with: nothing is fitted on
        test rows, and all rows are embedded. :func:`diffaug_bio.tl.evaluate` scores by it.
    batch_key
        Column of `.obs` with batches to bring together, such as donors or protocols, or several: each
        combination of their values is a batch then. What is in one batch only is left where it is. The
        encoder sees no batch, so that rows of a new one can be embedded. Features only.
    random_state
        Seed; the same one gives the same embedding on the same number of threads.
    device
        `"auto"`, `"cpu"`, `"cuda"`, `"cuda:N"` or `"mps"`.
    precision
        `"auto"`, `"float32"` or `"bfloat16"`.
    threads
        CPU threads. If left out, `OMP_NUM_THREADS` or `SLURM_CPUS_PER_TASK` say how many; without them
        one, and two while networks train on many rows and no other process needs the cores.
    callbacks
        Called after every epoch.
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns`.
    copy
        Whether to return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets:

    `adata.obsm[key_added]` : `(n_obs, n_latent)` float32
        The embedding. Compare rows by Euclidean distance. By default and without batches, the first
        columns, at most half, are the leading principal components, and the others are what was learned.
    `adata.uns[key_added without X_]` : dict
        `params` (JSON), `version` and `history`, the losses by epoch.

    Scores of novelty that :func:`diffaug_bio.tl.project` wrote for an embedding of this name are removed,
    and coordinates that :func:`diffaug_bio.tl.umap` made of it.

    Raises
    ------
    InputError
        If layer, representation, names, split, configuration or data cannot be used.

    References
    ----------
    .. [1] Zang et al. (2024), ICML, arXiv:2309.07909.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> db.tl.embed(adata, preset="quick")
    >>> adata.obsm["X_diffaug"].shape
    (700, 128)
    >>> sc.pp.neighbors(adata, use_rep="X_diffaug")
    """
    if not isinstance(key_added, str):
        msg = f"`key_added` has to be a text such as {OBSM_KEY!r}; got {key_added!r}."
        raise InputError(msg)
    adata = adata.copy() if copy else adata
    fit_model(
        adata,
        config=resolve_config(preset if config is None else config, n_latent=n_latent).replace(
            encoder={} if encoder is None else {"kind": encoder},
            train={} if warmup_view is None else {"warmup_view": warmup_view},
        ),
        choice=MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key),
        split_key=split_key,
        batch_key=batch_key,
        random_state=random_state,
        device=device,
        precision=precision,
        threads=threads,
        callbacks=callbacks,
        key_added=key_added,
    )
    logger.info('Next: sc.pp.neighbors(adata, use_rep="%s")', key_added)
    return adata if copy else None


def fit_model(
    adata: AnnData,
    *,
    config: DiffAugConfig | None = None,
    choice: MatrixChoice | None = None,
    split_key: str | None = None,
    batch_key: str | Sequence[str] | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    key_added: str = OBSM_KEY,
) -> DiffAug:
    """Do what :func:`embed` does in place, and return the fitted model.

    Parameters
    ----------
    adata, split_key, batch_key, random_state, device, precision, threads, callbacks, key_added
        As for :func:`embed`.
    config
        The whole configuration; the default preset if left out.
    choice
        Which matrix to embed, `.X` if left out.

    Returns
    -------
    The fitted model, which :func:`diffaug_bio.tl.project` takes and `model.save(folder)` keeps.

    Examples
    --------
    >>> model = diffaug_bio.tl.fit_model(adata)  # doctest: +SKIP
    >>> model.save("model")  # doctest: +SKIP
    >>> diffaug_bio.tl.project(new_cells, "model")  # doctest: +SKIP
    """
    from diffaug_bio.model.estimator import DiffAug

    config = config or DiffAugConfig()
    split = choose_split(adata, split_key)
    fitted = rows_to_fit(adata, split)
    batches = None if batch_key is None else batches_of(fitted, batch_key).tolist()
    choice = resolve_choice(fitted, choice or MatrixChoice(), config)
    matrix, names = choose_matrix(fitted, choice)
    config = declare(config, fitted, choice)
    model = DiffAug(config, random_state=random_state, device=device, precision=precision, threads=threads)
    model.fit(matrix, feature_names=names, batches=batches, callbacks=callbacks)
    if split is not None:
        matrix, names = choose_matrix(adata, choice, model=model)
    embedding = model.transform(matrix, feature_names=names)
    model.source_ = {**choice.to_dict(), SPLIT_ENTRY: split_key}
    if batch_key is not None:
        model.source_[BATCH_ENTRY] = batch_key if isinstance(batch_key, str) else ",".join(batch_key)
    write_embedding(adata, embedding, key_added=key_added, model=model, choice=choice)
    return model
