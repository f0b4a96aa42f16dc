"""A table with columns of all kinds, coded as readers code it, for tests of any room."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd

from diffaug_bio import DiffAugConfig
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns

SEX = CodedColumn(name="sex", kind="categorical", levels=("F", "M"))
STAGE = CodedColumn(name="stage", kind="categorical", levels=("a", "b", "c", "d"))
GRADE = CodedColumn(name="grade", kind="ordinal", levels=("I", "II", "III"))
SMOKER = CodedColumn(name="smoker", kind="boolean", levels=("no", "yes"))
AGE_MISSING = CodedColumn(name="age", kind="missing", levels=())
COLUMNS = CodedColumns((SEX, STAGE, GRADE, SMOKER, AGE_MISSING))
TABLE_CONFIG = DiffAugConfig.preset("quick").replace(
    encoder={"n_latent": 8, "hidden": [16]},
    generator={"width": 16, "n_steps": 20, "n_sampling_steps": 3},
    train={"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 5},
)
"""Small networks, hardly trained: what is generated has to be valid all the same."""
NUMBERS = ("age", "crp", "p1", "p2", "p3", "p4")


def mixed_table(n_obs: int = 90, *, seed: int = 0, blanks: float = 0.05) -> anndata.AnnData:
    """Rows of three groups: six plain numbers, of which age is whole, and columns of all other kinds."""
    rng = np.random.default_rng(seed)
    group = np.arange(n_obs) % 3
    numbers = rng.normal(group[:, None], 0.5, (n_obs, len(NUMBERS)))
    numbers[:, 0] = np.clip(np.rint(50 + 12 * numbers[:, 0]), 18, 89)  # age
    numbers[:, 1] = np.exp(numbers[:, 1])  # C-reactive protein: above 0, with a long tail
    numbers[rng.random(numbers.shape) < blanks] = np.nan
    parts: list[np.ndarray] = [numbers]
    names = list(NUMBERS)
    for column in COLUMNS:
        if column.kind == "missing":
            coded = np.isnan(numbers[:, :1]).astype(np.float32)
        else:
            level = (group + (rng.random(n_obs) < 0.2)) % len(column.levels)
            level[rng.random(n_obs) < blanks] = -1
            coded = column.coded(level.astype(np.int64))
        parts.append(coded)
        names += column.features
    return anndata.AnnData(
        X=np.column_stack(parts).astype(np.float32),
        obs=pd.DataFrame(
            {"group": group.astype(str)}, index=[f"patient{number}" for number in range(n_obs)]
        ),
        var=pd.DataFrame(index=names),
        uns={"columns": COLUMNS.to_text()},
    )
