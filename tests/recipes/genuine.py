"""Tiny files in the genuine format of each data set, as its page gives them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd

from tests.io.images.test_cifar import write_cifar10, write_cifar100
from tests.io.images.test_idx import as_idx
from tests.io.images.test_stl10 import write_stl10
from tests.io.images.test_tiny_imagenet import write_tiny_imagenet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ACTIVITIES = ["WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING"]


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def abs_random(*shape: int) -> NDArray[np.float32]:
    return np.abs(random(*shape))


def letters(n_obs: int, length: int, *, seed: int = 0, alphabet: str = "ACGT") -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(alphabet), length)) for _ in range(n_obs)]


def text_of(matrix: NDArray[np.generic], **format_: str) -> str:
    stream = io.StringIO()
    np.savetxt(stream, matrix, **format_)
    return stream.getvalue()


def write_zip(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_h5ad(path: Path, matrix: NDArray[np.float32], **obs: Sequence[str]) -> None:
    rows = [f"cell{number}" for number in range(len(matrix))]
    frame = pd.DataFrame(obs, index=rows).astype("category")
    genes = pd.DataFrame(index=[f"gene{number}" for number in range(matrix.shape[1])])
    anndata.AnnData(X=matrix, obs=frame, var=genes).write_h5ad(path)


def ga1457(folder: Path) -> None:
    """60 cells of one type, and 10 of another."""
    types = ["pit"] * 60 + ["rare"] * 10
    write_h5ad(folder / "gast10kwithcelltype.h5ad", abs_random(70, 1457), celltype=types)


def hcl500(folder: Path) -> None:
    """Two clusters of 500 and more cells, and a smaller one."""
    clusters = ["0"] * 520 + ["1"] * 500 + ["2"] * 30
    write_h5ad(folder / "HCL60kafter-elis-all.h5ad", random(1050, 510), louvain=clusters)


def mc1374(folder: Path) -> None:
    """Three types, one of them of 99 cells; of six genes three are seen in more than 3,000 cells."""
    counts = np.full((3200, 6), 8.0)
    counts[3001:, 0] = 0
    counts[3000:, 1] = 0
    counts[:, 2] = 0
    counts[::2, 5] = 0
    (folder / "mca_data").mkdir()
    np.save(folder / "mca_data" / "mca_data_dim_34947.npy", counts)
    types = np.repeat([4, 7, 11], [2000, 1101, 99])
    np.save(folder / "mca_data" / "mca_label_dim_34947.npy", types)


def uci_har(folder: Path) -> None:
    """The files of the archive that matter, with its doubled names of features."""
    root = "UCI HAR Dataset"
    features = [f"{number} tBodyAcc-mean()-{'XYZ'[number % 3]}" for number in range(1, 562)]
    files = {
        f"{root}/activity_labels.txt": "".join(f"{i} {name}\n" for i, name in enumerate(ACTIVITIES, 1)),
        f"{root}/features.txt": "\n".join(features) + "\n",
        f"{root}/README.txt": "Human Activity Recognition Using Smartphones Dataset\n",
    }
    for split, n_obs, first in (("train", 18, 1), ("test", 12, 20)):
        values = random(n_obs, 561, seed=n_obs).clip(-1, 1)
        files[f"{root}/{split}/X_{split}.txt"] = text_of(values, fmt="% .7e")
        files[f"{root}/{split}/y_{split}.txt"] = "".join(f"{i % 6 + 1}\n" for i in range(n_obs))
        files[f"{root}/{split}/subject_{split}.txt"] = "".join(f"{first + i % 3}\n" for i in range(n_obs))
        files[f"{root}/{split}/Inertial Signals/body_acc_x_{split}.txt"] = text_of(values[:, :4])
    files["__MACOSX/UCI HAR Dataset/._train"] = "\0"
    write_zip(folder / "UCI HAR Dataset.zip", files)


def genomic(folder: Path, *, name: str, labels: Sequence[str], length: int) -> None:
    """One file a sequence, in folders of splits and classes."""
    files = {}
    for seed, (split, n_obs) in enumerate((("train", 6), ("test", 3))):
        for label in labels:
            for number, sequence in enumerate(letters(n_obs, length, seed=seed)):
                files[f"{name}/{split}/{label}/{number}.txt"] = sequence
    write_zip(folder / f"{name}_v0.zip", files)


def write_archive(folder: Path, *, name: str, inside: str, write: Callable[[Path], object]) -> None:
    """Pack a folder as it is downloaded."""
    made = folder / "made"
    made.mkdir()
    write(made / inside)
    if name.endswith(".zip"):
        paths = [path for path in made.rglob("*") if path.is_file()]
        with zipfile.ZipFile(folder / name, "w") as archive:
            for path in paths:
                archive.write(path, path.relative_to(made))
        return
    with tarfile.open(folder / name, "w:gz") as packed:
        packed.add(made / inside, inside)


def idx(folder: Path) -> None:
    """Images of 28 x 28 pixels, each digit among those to train with."""
    for split, n_obs in (("train", 20), ("t10k", 5)):
        images = np.random.default_rng(n_obs).integers(0, 256, (n_obs, 28, 28), dtype=np.uint8)
        labels = (np.arange(n_obs) % 10).astype(np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(as_idx(values)))


def pbmc3k(folder: Path) -> None:
    counts = np.random.default_rng(0).poisson(1.0, (20, 30)).astype(np.float32)
    write_h5ad(folder / "pbmc3k_raw.h5ad", counts)


def pbmc3k_processed(folder: Path) -> None:
    write_h5ad(folder / "pbmc3k.h5ad", random(20, 30), louvain=["CD4 T cells", "B cells"] * 10)


def paul15(folder: Path) -> None:
    """Genes in rows, clusters by number, and names that scanpy does not use."""
    with h5py.File(folder / "paul15.h5", "w") as file:
        file["data.debatched"] = np.random.default_rng(0).poisson(2.0, (5, 38)).astype(np.float64)
        file["data.debatched_rownames"] = np.array([b"Gata1", b"Mpo;Mpo2", b"Irf8", b"Gfi1", b"Sfpi1;Pu.1"])
        file["data.debatched_colnames"] = np.array([f"W{number}".encode() for number in range(38)])
        file["cluster.id"] = (np.arange(38) % 19 + 1).reshape(-1, 1).astype(np.float64)
        file["info.genes_strings"] = np.array([b"Gata1", b"Mpo", b"Pu.1", b"Sfpi1", b"1-Mar"])


def uci_splice(folder: Path) -> None:
    """Blanks around values, a name that repeats, and letters for several bases."""
    rows = [
        f"{('EI', 'IE', 'N')[i % 3]},{f'HUM{i // 2}-DONOR-{i // 2}':>20},{' ' * 15}{sequence}\n"
        for i, sequence in enumerate([*letters(12, 60), *letters(3, 60, alphabet="ACGTACGTACGTDNSR")])
    ]
    (folder / "splice.data").write_text("".join(rows))


def uci_promoters(folder: Path) -> None:
    """Small letters, and tabs in front of them."""
    tabs = ["\t", "\t\t"]
    rows = [
        f"{'+-'[i % 2]},{f'S{i}' if i % 2 == 0 else i * 31},{tabs[i % 2]}{sequence}\n"
        for i, sequence in enumerate(letters(20, 57, alphabet="acgt"))
    ]
    (folder / "promoters.data").write_text("".join(rows))


def mice_protein(folder: Path) -> None:
    """The first line of the Excel file, and a value that is missing."""
    proteins = [f"P{number}_N" for number in range(77)]
    lines = [",".join(["MouseID", *proteins, "Genotype", "Treatment", "Behavior", "class"])]
    for number, row in enumerate(abs_random(24, 77)):
        values = [f"{value:.9f}" for value in row]
        if number == 3:
            values[5] = ""
        mouse, kind = f"{300 + number // 3}_{number % 3 + 1}", "ct"[number % 2]
        lines.append(
            ",".join(
                [mouse, *values, {"c": "Control", "t": "Ts65Dn"}[kind], "Saline", "C/S", f"{kind}-CS-s"]
            )
        )
    (folder / "Data_Cortex_Nuclear.csv").write_text("\n".join(lines) + "\n")


def arcene(folder: Path) -> None:
    """Whole numbers with a blank at the end of each line."""
    for part, n_obs in (("train", 4), ("valid", 3)):
        values = np.random.default_rng(n_obs).integers(0, 999, (n_obs, 10000))
        lines = [" ".join(map(str, row)) + " \n" for row in values]
        (folder / f"arcene_{part}.data").write_text("".join(lines))
        (folder / f"arcene_{part}.labels").write_text("".join(f"{(-1) ** i}\n" for i in range(n_obs)))


_TWO = ("negative", "positive")
_GENOMIC = {
    "dummy_mouse_enhancers_ensembl": (_TWO, 300),
    "demo_coding_vs_intergenomic_seqs": (("coding_seqs", "intergenomic_seqs"), 200),
    "demo_human_or_worm": (("human", "worm"), 200),
    "human_enhancers_cohn": (_TWO, 500),
    "human_enhancers_ensembl": (_TWO, 269),
    "human_ensembl_regulatory": (("enhancer", "ocr", "promoter"), 401),
    "human_nontata_promoters": (_TWO, 251),
    "human_ocr_ensembl": (_TWO, 315),
}

GENUINE: dict[str, Callable[[Path], None]] = {
    "arcene": arcene,
    "cifar10": partial(
        write_archive, name="cifar-10-python.tar.gz", inside="cifar-10-batches-py", write=write_cifar10
    ),
    "cifar100": partial(
        write_archive, name="cifar-100-python.tar.gz", inside="cifar-100-python", write=write_cifar100
    ),
    "fashion_mnist": idx,
    "ga1457": ga1457,
    "hcl500": hcl500,
    "mc1374": mc1374,
    "mice_protein": mice_protein,
    "mnist": idx,
    "paul15": paul15,
    "pbmc3k": pbmc3k,
    "pbmc3k_processed": pbmc3k_processed,
    "sam561": uci_har,
    "stl10": partial(write_archive, name="stl10_binary.tar.gz", inside="stl10_binary", write=write_stl10),
    "tiny_imagenet": partial(
        write_archive, name="tiny-imagenet-200.zip", inside="tiny-imagenet-200", write=write_tiny_imagenet
    ),
    "uci_har": uci_har,
    "uci_promoters": uci_promoters,
    "uci_splice": uci_splice,
    **{
        name: partial(genomic, name=name, labels=labels, length=length)
        for name, (labels, length) in _GENOMIC.items()
    },
}
"""For each recipe with sources, what writes them into a folder."""
