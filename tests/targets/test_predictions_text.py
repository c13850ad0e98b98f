"""Predictions in text and in Parquet are those of the same arrays in an ``.npz``."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi_audit.errors import OutputsError
from mi_audit.schema.feature_cache import FeatureCache
from tests.targets.predictions_files import assert_same, content, logits, opened, softmax, write_csv


def of_npz(folder: Path, **changes: object) -> FeatureCache:
    np.savez(folder / "same.npz", **content(**changes))
    return opened(folder / "same.npz")


def of_text(folder: Path, text: str | bytes) -> FeatureCache:
    (folder / "p.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return opened(folder / "p.csv")


DIALECTS = {
    "plain": {},
    "byte-order mark and CRLF": {"encoding": "utf-8-sig", "lineterminator": "\r\n"},
    "all quoted": {"quoting": 1},
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t", "lineterminator": "\n"},
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_is_the_same_table(tmp_path, dialect):
    assert_same(opened(write_csv(tmp_path / "p.csv", content(), **dialect)), of_npz(tmp_path))


@pytest.mark.parametrize(
    "name", ["logit_{}", "Logits_{}", "logits.{}", "logits[{}]", "logits-{}", "logits:{}", " logits_{} "]
)
def test_columns_of_classes_are_found_in_any_order_and_spelling(tmp_path, name):
    arrays = content()
    for number in (2, 0, 1):
        arrays[name.format(number)] = arrays["logits"][:, number]
    del arrays["logits"]
    assert_same(opened(write_csv(tmp_path / "p.csv", arrays)), of_npz(tmp_path))


@pytest.mark.parametrize("name", ["probabilities_{}", "probability_{}", "prob_{}", "probs_{}"])
def test_probabilities_have_several_spellings(tmp_path, name):
    p = softmax(logits())
    arrays = content(logits=None) | {name.format(number): p[:, number] for number in range(3)}
    assert_same(opened(write_csv(tmp_path / "p.csv", arrays)), of_npz(tmp_path, logits=None, probabilities=p))


@pytest.mark.parametrize(
    "form", [json.dumps, lambda row: " ".join(map(repr, row)), str, lambda row: str(row).replace(",", "")]
)
def test_one_column_may_hold_a_list(tmp_path, form):
    arrays = content() | {"logits": np.array([form(row) for row in logits().tolist()])}
    assert_same(opened(write_csv(tmp_path / "p.csv", arrays)), of_npz(tmp_path))


def test_columns_named_by_classes_are_these_classes(tmp_path):
    arrays = content(logits=None, label=np.array(["dog", "cat", "owl"] * 4))
    arrays |= {f"logits_{name}": logits()[:, number] for number, name in enumerate(("owl", "dog", "cat"))}
    cache = opened(write_csv(tmp_path / "p.csv", arrays))
    assert cache.class_names == ("owl", "dog", "cat")
    assert cache.label.tolist() == [1, 2, 0] * 4
    np.testing.assert_array_equal(cache.outputs, logits())


def test_a_single_number_per_row_is_a_sigmoid_head(tmp_path):
    cache = of_text(tmp_path, "logits,label,is_member\n1.5,0,1\n-2,1,0\n")
    assert cache.outputs.tolist() == [[0, 1.5], [0, -2]]
    one_column = of_text(tmp_path, "logits_0,label,is_member\n1.5,0,1\n-2,1,0\n")
    assert_same(cache, one_column)


def test_other_columns_and_empty_lines_are_left_alone(tmp_path):
    cache = of_text(tmp_path, 'problem,logits_0,logits_1,label,is_member,note\n\n?,1,2,0,yes,"a\n,b"\n\n,1,0,1,no,\n\n')
    assert cache.outputs.tolist() == [[1, 2], [1, 0]]


HEADER = "logits_0,logits_1,label,is_member,sample_id\n"
GOOD = "1,2,0,1,a\n3,4,1,0,b\n"
REFUSED = {
    "a word": (HEADER + GOOD + "x\x1b[31m,2,0,1,c\n", "line 4: expected a number, got 'x'"),
    "an empty cell": (HEADER + GOOD + ",2,0,1,c\n", "line 4: expected a number, got ''"),
    "a decimal comma": (HEADER.replace(",", ";") + "1,5;2;0;1;a\n", "line 2: expected a number, got '1,5'"),
    "a short row": (HEADER + GOOD + "\n1,2,0\n", "line 5: expected 5 values as in the header, got 3"),
    "a long row": (HEADER + "1,2,0,1,a,9\n" + GOOD, "line 2: expected 5 values as in the header, got 6"),
    "NaN": (HEADER + GOOD + "nan,2,0,1,c\n", "NaN or infinity for 1 of 3 samples: c"),
    "a flag": (HEADER + GOOD + "1,2,0,maybe,c\n", "true or false, .* in is_member, got 'maybe' in line 4"),
    "an empty flag": (HEADER + GOOD + "1,2,0,,c\n", "got '' in line 4"),
    "a label": (HEADER + GOOD + "1,2,2,0,c\n", "expected label from 0 to 1, got 2 in line 4"),
    "an empty label": (HEADER + GOOD + "1,2,,0,c\n", "expected a class in label, got nothing in line 4"),
    "an id": (HEADER + GOOD + "1,2,0,0,\n", "an id for every sample, got none in line 4"),
    "only a header": (HEADER, "expected rows below the header, got none"),
    "no header": (GOOD, "expected the columns label and is_member, got no label"),
    "numbers from 1": (
        HEADER.replace("s_1", "s_2").replace("s_0", "s_1") + GOOD,
        "numbered 0 to 1, got 2 of the numbers 1 to 2",
    ),
    "a column twice": (HEADER.replace("s_1", "s_0") + GOOD, "expected every column once, got logits_0 twice"),
    "a column in two spellings": (HEADER.replace("s_1", "s_00") + GOOD, "numbered 0 to 1"),
    "a class in two spellings": (HEADER.replace("label", "y,class") + GOOD, "column label once, got y, class"),
    "mixed kinds": (
        HEADER.replace("logits_1", "prob_1") + GOOD,
        "exactly one of .*, got|exactly one of .*; got logits",
    ),
    "lists of other lengths": (
        "logits,label,is_member\n1 2,0,1\n1 2 3,0,0\n",
        "line 3: expected 2 numbers in logits, got 3",
    ),
    "empty lists": ("logits,label,is_member\n[],0,1\n[],0,0\n", "line 2: expected some numbers in logits, got 0"),
    "a damaged quote": (HEADER + '"1"x,2,0,1,a\n', "a damaged line"),
    "an open quote": (HEADER + GOOD + '"1,2,0,1,a\n', "a damaged line"),
    "Latin-1": ((HEADER + GOOD).encode() + b"1,2,0,1,caf\xe9\n", "expected text in UTF-8, got other bytes"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_text_that_makes_no_table_is_one_line_that_names_the_line(tmp_path, text, message):
    with pytest.raises(OutputsError, match=message) as caught:
        of_text(tmp_path, text)
    assert str(caught.value).isprintable()
    assert caught.value.tip


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12)
FLOATS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60, deadline=None)
@given(
    outputs=st.integers(2, 5).flatmap(
        lambda k: st.lists(st.lists(FLOATS, min_size=k, max_size=k), min_size=2, max_size=9)
    ),
    ids=st.lists(TEXT, min_size=9, max_size=9, unique=True),
    dialect=st.sampled_from(list(DIALECTS.values())),
    seed=st.integers(0, 99),
)
def test_any_numbers_and_ids_survive_a_round_trip_through_text(tmp_path_factory, outputs, ids, dialect, seed):
    z = np.array(outputs, np.float32)
    n, n_classes = z.shape
    rng = np.random.default_rng(seed)
    arrays = {
        "logits": z,
        "label": rng.integers(0, n_classes, n),
        "is_member": np.arange(n) < n // 2,
        "sample_id": np.array(ids[:n]),
    }
    cache = opened(write_csv(tmp_path_factory.mktemp("text") / "p.csv", arrays, **dialect))
    np.testing.assert_array_equal(cache.outputs, z)
    for name in ("label", "is_member", "sample_id"):
        np.testing.assert_array_equal(getattr(cache, name), arrays[name])


def write_parquet(path: Path, arrays: dict[str, object]) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(arrays), path)
    return path


def lists(kind: str) -> object:
    pa = pytest.importorskip("pyarrow")
    types = {"list": pa.list_(pa.float32()), "large": pa.large_list(pa.float32()), "fixed": pa.list_(pa.float32(), 3)}
    return pa.array(logits().tolist(), types[kind])


@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
def test_parquet_with_a_column_of_lists_is_the_same_table(tmp_path, kind):
    arrays = content() | {"logits": lists(kind)}
    assert_same(opened(write_parquet(tmp_path / "p.parquet", arrays)), of_npz(tmp_path))


def test_parquet_with_a_column_per_class_is_the_same_table(tmp_path):
    arrays = content(logits=None) | {f"logits_{number}": logits()[:, number] for number in range(3)}
    assert_same(opened(write_parquet(tmp_path / "p.parquet", arrays)), of_npz(tmp_path))


def test_categories_and_flags_of_parquet_are_read(tmp_path):
    pa = pytest.importorskip("pyarrow")
    label = pa.array(["dog", "cat", "owl"] * 4).dictionary_encode()
    arrays = content(logits=None, predicted=np.array(["dog"] * 12)) | {"label": label}
    cache = opened(write_parquet(tmp_path / "p.parquet", arrays))
    assert cache.class_names == ("cat", "dog", "owl")
    assert cache.is_correct.tolist() == [True, False, False] * 4


PARQUET_REFUSED = {
    "gaps": ({"label": [0, 1, None] * 4}, "expected a value in every row of label, got 4 without"),
    "gaps in lists": ({"logits": [[1.0, None, 2.0]] * 12}, "a value in every row of logits, got 12 without"),
    "lists of other lengths": (
        {"logits": [[1.0, 2.0]] * 11 + [[1.0]]},
        "expected 2 numbers in logits, got 1 in row 11",
    ),
    "lists of text": ({"logits": [["a", "b"]] * 12}, "expected numbers in logits, got string"),
    "another type": ({"label": [b"x"] * 12}, "expected numbers or text in label, got binary"),
    "one side": ({"is_member": [True] * 12}, "got members only"),
}


@pytest.mark.parametrize(("changes", "message"), PARQUET_REFUSED.values(), ids=PARQUET_REFUSED)
def test_parquet_that_makes_no_table_is_one_line(tmp_path, changes, message):
    arrays = content() | {"logits": lists("list")} | changes
    with pytest.raises(OutputsError, match=message):
        opened(write_parquet(tmp_path / "p.parquet", arrays))


def test_a_damaged_parquet_file_is_refused_wherever_it_ends(tmp_path):
    whole = write_parquet(tmp_path / "p.parquet", content() | {"logits": lists("list")}).read_bytes()
    for length in range(8, len(whole), 97):
        (tmp_path / "part.parquet").write_bytes(whole[:length])
        with pytest.raises(OutputsError, match="damaged, truncated or of another kind"):
            opened(tmp_path / "part.parquet")


def test_a_small_parquet_file_of_billions_of_rows_is_refused_before_it_is_read(tmp_path):
    n = 20_000_000
    arrays = {name: np.zeros(n, np.int8) for name in ("predicted", "label")} | {"is_member": np.zeros(n, np.bool_)}
    with pytest.raises(
        OutputsError, match="expected columns of at most 200 times the file's size, got 480,000,000 bytes"
    ):
        opened(write_parquet(tmp_path / "p.parquet", arrays))


def test_a_small_parquet_file_of_long_lists_is_refused_before_it_is_read(tmp_path):
    pa = pytest.importorskip("pyarrow")
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(20_000_000, np.float32)), 20_000)
    arrays = content(1000, logits=None) | {"logits": values}
    with pytest.raises(OutputsError, match="expected columns of at most 200 times the file's size, got 160,"):
        opened(write_parquet(tmp_path / "p.parquet", arrays))


def test_parquet_without_its_library_says_what_to_install(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    code = "import sys; sys.modules['pyarrow'] = None\nfrom pathlib import Path\n"
    code += "from tests.targets.predictions_files import opened\nfrom mi_audit.errors import MissingLibraryError\n"
    code += "try: opened(Path(sys.argv[1]))\nexcept MissingLibraryError as error: print(error.tip)"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "p.parquet"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "pip install 'mi-audit[parquet]'"


NAMED = "file,Bag,Boot,Coat,y_true,split\n"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("0.5,0.25,0.25", "0,1,0", "0.125,0,0.875"), "probabilities"),
        (("0.5,0.25,0.25", "0,1,0", "-1,2,3"), "logits"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_columns_named_by_the_classes_alone_are_outputs_of_the_kind_that_they_look_like(cells, kind, form, tmp_path):
    ends = ("Bag,train", "Boot,test", "Coat,train")
    text = NAMED + "".join(f"{n}.png,{cell},{end}\n" for n, (cell, end) in enumerate(zip(cells, ends, strict=True)))
    path = tmp_path / "p"
    if form == "parquet":
        pq.write_table(pyarrow.csv.read_csv(io.BytesIO(text.encode())), path)
    else:
        path.write_text(text.replace(",", "\t") if form == "tsv" else text)
    cache = opened(path)
    assert cache.class_names == ("Bag", "Boot", "Coat")
    assert cache.label.tolist() == [0, 1, 2]
    assert cache.is_member.tolist() == [True, False, True]
    assert cache.outputs_kind == kind
    assert any(f"outputs are taken for {kind} by their values" in finding.message for finding in cache.findings)


@pytest.mark.parametrize(
    "text",
    [
        "Bag,Boot,Coat,label,is_member\n0.5,0.5,0,Bag,1\n0.5,0.5,0,Boot,0\n",  # a column that is no class of any row
        "Bag,label,is_member\n0.5,Bag,1\n0.5,Bag,0\n",
        "Bag,Boot,label,is_member\n0.5,0.5,Bag,1\n0.5,0.5,Hat,0\n",
    ],
)
def test_columns_that_are_not_exactly_the_classes_are_refused_and_the_spellings_named(text, tmp_path):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(
        OutputsError, match="expected exactly one of logits, probabilities, predicted; got none"
    ) as caught:
        opened(tmp_path / "p.csv")
    assert "p0, ..., or columns named by the classes in label and nothing else" in caught.value.tip


@pytest.mark.parametrize("name", ["p{}", "p_{}", "prob{}", "probs.{}", "probability[{}]"])
def test_probabilities_are_numbered_as_people_do(name, tmp_path):
    header = ",".join(name.format(number) for number in (1, 0))
    (tmp_path / "p.csv").write_text(f"{header},target,member\n0.25,0.75,0,yes\n1,0,1,no\n")
    cache = opened(tmp_path / "p.csv")
    assert cache.outputs.tolist() == [[0.75, 0.25], [0, 1]]
    assert cache.outputs_kind == "probabilities"
    assert cache.label.tolist() == [0, 1]


def test_a_class_whose_name_has_two_lines_keeps_its_column(tmp_path):
    rows = '"prob_a\nb",prob_c,label,is_member\n0.25,0.75,"a\nb",1\n1,0,c,0\n'
    (tmp_path / "p.csv").write_text(rows)
    assert opened(tmp_path / "p.csv").class_names == ("a\nb", "c")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("parts", "is_read"), [(("train", "val"), True), (("0", "1"), False), (("true", "false"), False)]
)
def test_a_split_names_its_parts(parts, is_read, suffix, tmp_path):
    text = "label,split,logits_0,logits_1\n" + "".join(f"{i % 2},{parts[i % 2]},{i},1\n" for i in range(6))
    (tmp_path / "p.csv").write_text(text)
    if suffix == "parquet":
        pq.write_table(pyarrow.csv.read_csv(tmp_path / "p.csv"), tmp_path / "p.parquet")
    if is_read:
        assert opened(tmp_path / f"p.{suffix}").is_member.tolist() == [True, False] * 3
        return
    with pytest.raises(OutputsError, match="expected 1 or 0, true or false, yes or no, train or test in is_member"):
        opened(tmp_path / f"p.{suffix}")


def test_columns_of_the_classes_that_are_neither_probabilities_nor_logits_are_refused(tmp_path):
    rows = "".join(f"{'cat' if i % 2 else 'dog'},{i % 3 % 2},0.{i},0.9\n" for i in range(1, 9))
    with pytest.raises(OutputsError, match="expected probabilities that sum to 1"):
        of_text(tmp_path, f"label,is_member,cat,dog\n{rows}")


def test_a_class_that_heads_two_columns_is_refused(tmp_path):
    rows = "".join(f"{'cat' if i % 2 else 'dog'},{i % 3 % 2},0.{i},0.1,0.9\n" for i in range(1, 9))
    with pytest.raises(OutputsError, match="expected exactly one of logits, probabilities, predicted"):
        of_text(tmp_path, f"label,is_member,cat,cat,dog\n{rows}")
