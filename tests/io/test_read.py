"""Reading h5ad files and tables, whole and broken."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

TABLE = "id,a,b,kind\ns1,1.5,2,x\ns2,-3,,y\ns3,0,1e3,x\n"


def write_text(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def make_annotated(matrix: object) -> AnnData:
    return anndata.AnnData(
        X=matrix,
        obs=pd.DataFrame({"kind": pd.Categorical(["u", "v", "u"])}, index=["c1", "c2", "c3"]),
        var=pd.DataFrame(index=["g1", "g2"]),
    )


def check_table(adata: AnnData) -> None:
    """Compare with what `TABLE` holds."""
    assert list(adata.obs_names) == ["s1", "s2", "s3"]
    assert list(adata.var_names) == ["a", "b"]
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X, np.array([[1.5, 2], [-3, np.nan], [0, 1000]], np.float32))
    assert list(adata.obs["kind"].astype(str)) == ["x", "y", "x"]


VALUES = np.array([[1, 0], [0, 2], [3, 4]], dtype=np.float32)


@pytest.mark.parametrize(
    "container",
    [np.asarray, sparse.csr_matrix, sparse.csc_matrix],
    ids=["dense", "csr", "csc"],
)
def test_h5ad_keeps_matrix_container_names_and_categories(tmp_path: Path, container: type) -> None:
    written = make_annotated(container(VALUES))
    written.write_h5ad(tmp_path / "cells.h5ad")
    adata = io.read(tmp_path / "cells.h5ad")
    assert sparse.issparse(adata.X) == sparse.issparse(written.X)
    assert getattr(adata.X, "format", None) == getattr(written.X, "format", None)
    dense = adata.X.toarray() if sparse.issparse(adata.X) else adata.X
    np.testing.assert_array_equal(dense, VALUES)
    assert list(adata.obs_names) == ["c1", "c2", "c3"]
    assert list(adata.var_names) == ["g1", "g2"]
    assert isinstance(adata.obs["kind"].dtype, pd.CategoricalDtype)
    assert list(adata.obs["kind"]) == ["u", "v", "u"]


def test_h5ad_keeps_layers_and_raw(tmp_path: Path) -> None:
    written = make_annotated(VALUES)
    written.raw = written.copy()
    written.layers["counts"] = sparse.csr_matrix(VALUES * 2)
    written.write_h5ad(tmp_path / "cells.h5ad")
    adata = io.read(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(adata.layers["counts"].toarray(), VALUES * 2)
    np.testing.assert_array_equal(adata.raw.X, VALUES)


def test_h5ad_is_read_by_declared_modality_whatever_its_ending(tmp_path: Path) -> None:
    make_annotated(VALUES).write_h5ad(tmp_path / "cells.data")
    assert io.read(tmp_path / "cells.data", modality="h5ad").shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("table.csv", ","),
        ("table.tsv", "\t"),
        ("table.txt", ";"),
        ("table.tab", "|"),
        ("TABLE.CSV", ","),
    ],
    ids=["comma", "tab", "semicolon", "bar", "upper case ending"],
)
def test_tables_are_read_with_any_delimiter(tmp_path: Path, name: str, delimiter: str) -> None:
    path = write_text(tmp_path, TABLE.replace(",", delimiter), name)
    check_table(io.read(path))


def test_gzipped_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode()))
    check_table(io.read(path))


@pytest.mark.parametrize(
    "text",
    ["\ufeff" + TABLE, TABLE.replace("\n", "\r\n"), TABLE.rstrip("\n"), TABLE + "\n\n"],
    ids=["byte order mark", "CRLF", "no final line end", "empty lines at the end"],
)
def test_quirks_of_text_files_change_nothing(tmp_path: Path, text: str) -> None:
    check_table(io.read(write_text(tmp_path, text)))


def test_path_may_be_a_string(tmp_path: Path) -> None:
    check_table(io.read(str(write_text(tmp_path, TABLE))))


def test_first_column_of_unique_text_gives_the_ids(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "mouse,a,b\nm1,1,2\nm2,3,4\nm3,5,6\n"))
    assert list(adata.obs_names) == ["m1", "m2", "m3"]
    assert list(adata.var_names) == ["a", "b"]


@pytest.mark.parametrize("name", ["id", "Sample", "cell_id", "", "Unnamed: 0"])
def test_numeric_first_column_with_a_usual_name_gives_the_ids(tmp_path: Path, name: str) -> None:
    adata = io.read(write_text(tmp_path, f"{name},a,b\n11,1,2\n12,3,4\n13,5,6\n"))
    assert list(adata.obs_names) == ["11", "12", "13"]
    assert list(adata.var_names) == ["a", "b"]


def test_rows_are_numbered_without_an_id_column(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "a,b\n1,2\n3,4\n5,6\n"))
    assert list(adata.obs_names) == ["0", "1", "2"]
    assert list(adata.var_names) == ["a", "b"]


def test_first_column_of_repeated_text_is_an_annotation(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "tissue,a,b\nskin,1,2\nskin,3,4\nbone,5,6\n"))
    assert list(adata.obs_names) == ["0", "1", "2"]
    assert list(adata.obs["tissue"]) == ["skin", "skin", "bone"]


def test_columns_of_text_with_usual_names_and_asked_for_are_annotations(tmp_path: Path) -> None:
    text = "id,a,tissue,batch,age\ns1,1,skin,0,30\ns2,2,bone,1,40\ns3,3,,1,30\n"
    adata = io.read(write_text(tmp_path, text), obs_columns=["age"])
    assert list(adata.var_names) == ["a"]
    assert list(adata.obs.columns) == ["tissue", "batch", "age"]
    assert all(isinstance(adata.obs[name].dtype, pd.CategoricalDtype) for name in adata.obs)
    assert list(adata.obs["age"]) == [30, 40, 30]
    assert list(adata.obs["tissue"].isna()) == [False, False, True]


def test_numeric_column_stays_a_feature_unless_asked_for(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "id,a,age\ns1,1,30\ns2,2,40\ns3,3,30\n"))
    assert list(adata.var_names) == ["a", "age"]


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "nan", "null"])
def test_missing_values_become_nan(tmp_path: Path, missing: str) -> None:
    adata = io.read(write_text(tmp_path, f"id,a,b\ns1,1,{missing}\ns2,2,5\ns3,3,6\n"))
    np.testing.assert_array_equal(adata.X[:, 1], np.array([np.nan, 5, 6], np.float32))


def test_quoted_fields_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    text = 'id,"a, of b",kind\n"s,1",1,"x\ny"\n"s,2",2,z\n"s ""3""",3,z\n'
    adata = io.read(write_text(tmp_path, text))
    assert list(adata.obs_names) == ["s,1", "s,2", 's "3"']
    assert list(adata.var_names) == ["a, of b"]
    assert list(adata.obs["kind"].astype(str)) == ["x\ny", "z", "z"]


def test_transposed_table_has_its_columns_as_observations(tmp_path: Path) -> None:
    path = write_text(tmp_path, "gene,c1,c2,c3\ng1,1,2,3\ng2,4,,6\n")
    adata = io.read(path, transpose=True)
    assert list(adata.obs_names) == ["c1", "c2", "c3"]
    assert list(adata.var_names) == ["g1", "g2"]
    np.testing.assert_array_equal(adata.X, np.array([[1, 4], [2, np.nan], [3, 6]], np.float32))


def test_transposed_table_may_hold_a_row_of_labels(tmp_path: Path) -> None:
    path = write_text(tmp_path, "gene,c1,c2,c3\ng1,1,2,3\nkind,x,y,x\ng2,4,5,6\n")
    adata = io.read(path, transpose=True)
    assert list(adata.var_names) == ["g1", "g2"]
    assert list(adata.obs["kind"].astype(str)) == ["x", "y", "x"]
    np.testing.assert_array_equal(adata.X, np.array([[1, 4], [2, 5], [3, 6]], np.float32))


def test_missing_file_lists_what_lies_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path, TABLE, "other.csv")
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.csv\..* holds other\.csv"):
        io.read(tmp_path / "nowhere.csv")


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.h5ad\.$"):
        io.read(tmp_path / "no" / "such" / "nowhere.h5ad")


def test_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder"):
        io.read(tmp_path)


def test_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Known are \.h5ad, .*\.csv, \.tsv"):
        io.read(write_text(tmp_path, TABLE, "table.xyz"))


def test_unknown_modality_names_the_known_ones(tmp_path: Path) -> None:
    path = write_text(tmp_path, TABLE)
    with pytest.raises(InputError, match=r"no modality 'picture'; choose one of auto, h5ad, table"):
        io.read(path, modality="picture")  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated_h5ad_is_an_error_wherever_it_is_cut(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cells.h5ad"
    make_annotated(sparse.csr_matrix(VALUES)).write_h5ad(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"not a complete h5ad file|is damaged"):
        io.read(path)


def test_h5ad_with_bytes_of_its_inside_overwritten_is_read_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    make_annotated(sparse.csr_matrix(VALUES)).write_h5ad(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for start in range(0, len(whole) - 512, len(whole) // 12):
        path.write_bytes(whole[:start] + rng.bytes(512) + whole[start + 512 :])
        try:
            adata = io.read(path)
        except InputError as error:
            assert "Copy" in str(error)  # noqa: PT017 - a readable file is fine too
        else:
            assert adata.shape == (3, 2)


def test_h5ad_without_x_is_read_for_its_layers(tmp_path: Path) -> None:
    written = anndata.AnnData(obs=pd.DataFrame(index=["c1", "c2"]), layers={"counts": VALUES[:2]})
    written.write_h5ad(tmp_path / "cells.h5ad")
    adata = io.read(tmp_path / "cells.h5ad")
    assert adata.X is None
    np.testing.assert_array_equal(adata.layers["counts"], VALUES[:2])


@pytest.mark.parametrize(
    "content", [b"", b"id,a\n1,2\n", b"\x89HDF\r\n\x1a\n"], ids=["empty", "csv", "signature"]
)
def test_h5ad_that_is_not_hdf5_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cells.h5ad").write_bytes(content)
    with pytest.raises(InputError, match=r"not a complete h5ad file"):
        io.read(tmp_path / "cells.h5ad")


def test_hdf5_without_an_anndata_says_what_it_lacks_and_holds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["X"] = VALUES
        file["extra"] = 1
    with pytest.raises(InputError, match=r"no AnnData.*'X 3 x 2', 'extra'"):
        io.read(tmp_path / "cells.h5")


def test_empty_hdf5_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5ad", "w"):
        pass
    with pytest.raises(InputError, match=r"lacks obs, var and holds nothing"):
        io.read(tmp_path / "cells.h5ad")


@pytest.mark.filterwarnings("ignore::anndata.OldFormatWarning")
def test_hdf5_with_the_names_but_not_the_form_of_an_anndata_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5ad", "w") as file:
        for name in ("X", "obs", "var"):
            file[name] = b"nothing of use"
    with pytest.raises(InputError, match=r"is damaged"):
        io.read(tmp_path / "cells.h5ad")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    whole = gzip.compress(("id,a\n" + "".join(f"s{i},{i**3}\n" for i in range(500))).encode())
    path = tmp_path / "table.csv.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"not a complete gzip file"):
        io.read(path)


def test_gzip_with_damaged_content_is_an_error(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(TABLE.encode() * 50))
    whole[20:40] = bytes(20)
    (tmp_path / "table.csv.gz").write_bytes(bytes(whole))
    with pytest.raises(InputError, match=r"not a complete gzip file|not a UTF-8 text file"):
        io.read(tmp_path / "table.csv.gz")


@pytest.mark.parametrize(
    "text", ["", "\n", "\na,b\n1,2\n"], ids=["nothing", "one line end", "first line empty"]
)
def test_empty_table_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"is empty or starts with an empty line"):
        io.read(write_text(tmp_path, text))


def test_single_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has a single column: its header 'value'"):
        io.read(write_text(tmp_path, "value\n1\n2\n3\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\ns1,1,2\ns2,1\ns3,1,2\n", r"line 3 has 2 fields, the header has 3"),
        ("id,a,b\ns1,1,2\ns2,1,2\ns3,1,2,4\n", r"line 4 has 4 fields, the header has 3"),
        ("id,a,b\ns1,1,2,3\ns2,1,2,3\n", r"line 2 has 4 fields, the header has 3"),
        ('id,a,b\n"s,1",1,2\ns2,1\n', r"line 3 has 2 fields, the header has 3"),
        ("id,a,b\n\ns1,1,2\ns2,1\n", r"line 4 has 2 fields, the header has 3"),
    ],
    ids=["too few", "too many", "header too short", "with quotes", "after an empty line"],
)
def test_ragged_row_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_text(tmp_path, text))


def test_text_in_a_numeric_column_names_column_row_and_value(tmp_path: Path) -> None:
    text = "id,a,b\ns1,1,2\ns2,2,high\ns3,3,4\ns4,3,4\n"
    with pytest.raises(InputError, match=r"column 'b' is numeric, but row 's2' holds 'high' \(1 such"):
        io.read(write_text(tmp_path, text))


def test_repeated_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 ids in column 'id' occur more than once: 's1'"):
        io.read(write_text(tmp_path, "id,a,b\ns1,1,2\ns1,3,4\ns3,5,6\n"))


def test_rows_without_an_id_are_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 1 rows without an id in column 'id'"):
        io.read(write_text(tmp_path, "id,a,b\ns1,1,2\n,3,4\ns3,5,6\n"))


def test_unknown_annotation_column_lists_candidates(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'sort'.*'kind'"):
        io.read(write_text(tmp_path, TABLE), obs_columns=["sort"])


def test_table_without_a_numeric_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no numeric column"):
        io.read(write_text(tmp_path, "id,kind\ns1,x\ns2,y\ns3,x\n"))


@pytest.mark.parametrize(
    "content",
    [np.random.default_rng(0).bytes(5000), bytes(range(256)) * 20, b"\0" * 1000, b"a,b\n1,2\n\xff\xfe,3\n"],
    ids=["random", "all bytes", "zeros", "not UTF-8"],
)
def test_binary_content_is_not_a_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"is not a (UTF-8 )?text file"):
        io.read(tmp_path / "table.csv")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("name", ["table.csv", "cells.h5ad"])
def test_file_without_permission_is_an_error(tmp_path: Path, name: str) -> None:
    path = write_text(tmp_path, TABLE, name)
    path.chmod(0)
    with pytest.raises(InputError, match=r"permission"):
        io.read(path)


def test_repeated_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 column names occur more than once: 'a'"):
        io.read(write_text(tmp_path, "id,a,b,a\ns1,1,2,3\ns2,3,4,5\n"))


@pytest.mark.parametrize("name", ["001", "1.50", "NA", "nan", "1e3", "0x10"])
def test_ids_are_kept_letter_by_letter(tmp_path: Path, name: str) -> None:
    assert list(io.read(write_text(tmp_path, f"id,a,b\n{name},1,2\n7,3,4\n")).obs_names) == [name, "7"]


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    path = write_text(tmp_path, "id;a;b\ns1;1,5;2\ns2;2,25;3\n")
    with pytest.raises(InputError, match=r"column 'a' has decimal commas"):
        io.read(path)
