"""Label-free embeddings whose contrastive positives come from a conditional diffusion generator.

>>> import diffaug_bio as db
>>> adata = db.datasets.load("pbmc68k")  # doctest: +SKIP
>>> db.tl.embed(adata)  # doctest: +SKIP
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffaug_bio import benchmark, config, datasets, io, mapping, metrics, pl, pp, tl
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.model.estimator import DiffAug

# Installed, `cli` and `data_recipes` lie inside this folder; in a checkout they lie beside it.
if not (_HERE := Path(__file__).parent).joinpath("cli").is_dir():
    __path__.append(str(_HERE.parent))

__version__ = "0.1.0"
__all__ = [
    "DiffAug",
    "DiffAugConfig",
    "__version__",
    "benchmark",
    "config",
    "datasets",
    "io",
    "mapping",
    "metrics",
    "pl",
    "pp",
    "tl",
]

_LAZY = {
    "DiffAug": ("diffaug_bio.model.estimator", "DiffAug"),
    "DiffAugConfig": ("diffaug_bio.config", "DiffAugConfig"),
    "benchmark": ("diffaug_bio.benchmark", None),
    "config": ("diffaug_bio.config", None),
    "datasets": ("diffaug_bio.datasets", None),
    "io": ("diffaug_bio.io", None),
    "mapping": ("diffaug_bio.mapping", None),
    "metrics": ("diffaug_bio.metrics", None),
    "pl": ("diffaug_bio.pl", None),
    "pp": ("diffaug_bio.pp", None),
    "tl": ("diffaug_bio.tl", None),
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `import diffaug_bio` stays cheap (PEP 562)."""
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module_name, attribute = _LAZY[name]
    module = import_module(module_name)
    value = module if attribute is None else getattr(module, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the lazy names too."""
    return sorted(__all__)
