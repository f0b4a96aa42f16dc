"""`tl.fit` and `tl.embed`: fit DiffAug to an AnnData and write the embedding into it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_anndata
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.choose.fitting import fit_adata
from diffaug_bio.config import resolve_config
from diffaug_bio.errors import InputError
from diffaug_bio.model.progress import fit_progress
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from diffaug_bio.config import Config
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


def embed(
    adata: AnnData,
    *,
    config: Config | None = None,
    n_latent: int | None = None,
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
    verbose: bool = True,
    callbacks: Sequence[Callback] = (),
    key_added: str = OBSM_KEY,
    copy: bool = False,
) -> AnnData | None:
    """Embed observations without labels, with positives from a diffusion model [1]_.

    An encoder and a conditional diffusion model are trained in turn on these observations. Counts are
    normalised and logged first; `logging.basicConfig(level="INFO")` shows what the input was taken for.
    :func:`fit` hands back the model, with which :func:`project` embeds new observations.

    Parameters
    ----------
    adata
        Rows are observations. Nothing but the fields below is changed.
    config
        Configuration: the name of a preset (`"quick"`, `"default"` or `"paper"`), the path of a TOML file,
        a dict shaped like such a file (`{"preset": "quick", "encoder": {"kind": "cnn"}}`), or a
        :class:`~diffaug_bio.config.DiffAugConfig`. None is `"default"`.
    n_latent
        Width of the embedding, in place of the configured width: with the presets `"default"` and
        `"quick"` 128 for expression, and 256 for measured features, sequences and images.
    layer
        Embed this layer in place of `.X`.
    use_rep
        Embed this entry of `.obsm`, without preprocessing.
    use_raw
        If True, embed `.raw.X`.
    var_key
        Column of `.var` (with `use_raw`, of `.raw.var`) with feature names, in place of `.var_names`:
        features of later data are matched by these names.
    split_key
        Column of `.obs` with "train" and "test": nothing is fitted on test rows, and all are embedded.
    batch_key
        Column of `.obs` with batches to bring together, such as donors or protocols, or several columns, of
        which each combination is a batch. Cell types that occur in one batch only are not moved. The
        encoder does not see the batch, so that rows of a new batch can be embedded. Features only.
    random_state
        Seed; the same one gives the same embedding on the same number of threads.
    device
        `"auto"`, `"cpu"`, `"cuda"`, `"cuda:N"` or `"mps"`.
    precision
        Precision of the training arithmetic: `"auto"`, `"float32"` or `"bfloat16"`.
    threads
        Number of CPU threads; by default `OMP_NUM_THREADS` or `SLURM_CPUS_PER_TASK`, without them one, and
        two while networks train on many rows and no other process needs the cores.
    verbose
        If True, show a progress bar in notebooks and on terminals.
    callbacks
        Functions called after every epoch with an :class:`~diffaug_bio.core.phases.EpochEnd`.
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns`.
    copy
        If True, return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets:

    `adata.obsm[key_added]` : `(n_obs, n_latent)` float32
        The embedding. Compare rows by Euclidean distance. By default and without batches, the first
        columns, at most half, are the leading principal components, and the others are learned.
    `adata.uns[key_added without X_]` : dict
        `params` (JSON), `version` and `history`, the losses by epoch.

    Scores of novelty and UMAP coordinates of an earlier embedding of this name are removed.

    Raises
    ------
    InputError
        If layer, representation, names, split, batches, configuration or data cannot be used.
    TrainingError
        If training diverges.

    References
    ----------
    .. [1] Zang et al. (2024), ICML, arXiv:2309.07909.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> db.tl.embed(adata, config="quick")
    >>> adata.obsm["X_diffaug"].shape
    (700, 128)
    >>> sc.pp.neighbors(adata, use_rep="X_diffaug")
    """
    check_anndata(adata)
    adata = adata.copy() if copy else adata
    fit(
        adata,
        config=config,
        n_latent=n_latent,
        layer=layer,
        use_rep=use_rep,
        use_raw=use_raw,
        var_key=var_key,
        split_key=split_key,
        batch_key=batch_key,
        random_state=random_state,
        device=device,
        precision=precision,
        threads=threads,
        verbose=verbose,
        callbacks=callbacks,
        key_added=key_added,
    )
    logger.info('Next: sc.pp.neighbors(adata, use_rep="%s")', key_added)
    return adata if copy else None


def fit(
    adata: AnnData,
    *,
    config: Config | None = None,
    n_latent: int | None = None,
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
    verbose: bool = True,
    callbacks: Sequence[Callback] = (),
    key_added: str = OBSM_KEY,
) -> DiffAug:
    """Embed observations as :func:`embed` does in place, and return the fitted model.

    Parameters
    ----------
    adata, config, n_latent, layer, use_rep, use_raw, var_key, split_key, batch_key
        Data and settings, as in :func:`embed`.
    random_state, device, precision, threads, verbose, callbacks, key_added
        Settings of the training and names, as in :func:`embed`.

    Returns
    -------
    The fitted model: :func:`project` embeds new observations with it, :func:`augment` generates
    observations, and `model.save(folder)` writes it to a folder.

    Raises
    ------
    InputError, TrainingError
        If data or settings cannot be used, or training diverges.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> model = db.tl.fit(adata)  # doctest: +SKIP
    >>> model.save("model")  # doctest: +SKIP
    >>> db.tl.project(new_cells, "model")  # doctest: +SKIP
    """
    from diffaug_bio.model.estimator import DiffAug

    check_anndata(adata)
    if not isinstance(key_added, str):
        msg = f"`key_added` has to be a name such as {OBSM_KEY!r}; got {key_added!r}."
        raise InputError(msg)
    model = DiffAug(
        resolve_config(config, n_latent=n_latent),
        random_state=random_state,
        device=device,
        precision=precision,
        threads=threads,
    )
    choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    with fit_progress(verbose=verbose) as shown:
        fit_adata(
            model,
            adata,
            choice,
            split_key=split_key,
            batch_key=batch_key,
            callbacks=[*callbacks, *shown],
            key_added=key_added,
        )
    return model
