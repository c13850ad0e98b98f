"""LaTeX: balanced, nothing in it but what we wrote, and read back by a decoder of its own."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mi_audit.reports import _format
from mi_audit.reports.latex import Latex, escaped
from mi_audit.schema import numerals
from tests.reports import audits, verdicts

ALL = audits.ALL | verdicts.ALL
SETS = {name: (name,) for name in ALL} | {
    "several": ("normal", "paper", "hostile_verdict"),
    "many": ("normal", "paper", "judged", "per_class", "on_features", "many_attacks"),
}
COMMANDS = {
    *("begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "addlinespace"),
    *("clearpage", "setlength", "tabcolsep", "raggedright", "arraybackslash", "linewidth", "allowbreak"),
    *("shortstack", "textbf", "texttt", "par", "smallskip", "footnotesize", "pm", "ldots"),
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "textquotedbl"),
}
DECODED = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    r"\ldots{}": "…",
    r"$\pm$": "±",
    "$-$": numerals.MINUS,
    r"\allowbreak{}": "",
    "{}": "",
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "~": _format.NO_BREAK_SPACE,
    **{f"\\{char}": char for char in "{}$&#%_"},
}
TOKEN = re.compile("|".join([r"\\texttt\{U\+[0-9A-F]+\}", *(re.escape(code) for code in DECODED), "."]))


NARROW = r">{\raggedright\arraybackslash}p{.2\linewidth}"


def render(name: str) -> str:
    return Latex().render([ALL[part]() for part in SETS[name]])


def decoded(text: str) -> str:
    def meaning(code: str) -> str:
        return chr(int(code[10:-1], 16)) if code.startswith(r"\texttt{U+") else DECODED.get(code, code)

    return "".join(meaning(found[0]) for found in TOKEN.finditer(text))


@pytest.mark.parametrize("name", SETS)
def test_braces_dollars_and_environments_are_balanced(name: str) -> None:
    text = re.sub(r"^%.*$", "", render(name), flags=re.MULTILINE)
    plain = re.sub(r"\\[\\{}$&#%_]", "", text)
    depth = 0
    for char in plain:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    opened: list[str] = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert opened == []


@pytest.mark.parametrize("name", SETS)
def test_there_is_no_command_but_ours(name: str) -> None:
    plain = render(name).replace(NARROW, "p").replace("\\\\", " ")
    assert set(re.findall(r"\\([A-Za-z]+)", re.sub(r"^%.*$", "", plain, flags=re.MULTILINE))) <= COMMANDS
    assert not re.search(r"[#^\"|<>]", re.sub(r"\\[#_%&${}]|^%.*$", "", plain, flags=re.MULTILINE))


@pytest.mark.parametrize("name", SETS)
def test_every_row_has_a_cell_per_column(name: str) -> None:
    text = render(name).replace(NARROW, "p")
    bodies = re.findall(r"\\begin\{tabular\}\{([lrp]+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert bodies or name == "bare"
    for columns, body in bodies:
        rows = [line for line in body.split("\n") if line.endswith(r"\\")]
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


@pytest.mark.parametrize(
    "text", [*audits.HOSTILE, "---", "``quoted''", "?`!`", f"{_format.DASH}-", "déjà vu", "a_b%c#d&e$f"]
)
def test_text_comes_back_as_it_is_shown(text: str) -> None:
    assert decoded(escaped(text)) == _format.visible(text).replace(_format.DASH, "--")


@pytest.mark.parametrize("text", ["---", "``x''", "?`", "!`"])
def test_no_ligature_is_left(text: str) -> None:
    assert not re.search(r"--|``|''|[?!]`", escaped(text))


def test_letters_stay_for_engines_that_know_unicode() -> None:
    assert escaped("猫é") == r"\texttt{U+732B}é"
    assert escaped("猫é", unicode=True) == "猫é"


def test_the_marked_row_is_bold_and_numbers_are_those_of_the_other_formats() -> None:
    text = render("normal")
    assert r"\textbf{xgboost} & \textbf{69.89~(69.17--70.61)}" in text


def test_several_audits_begin_with_the_tables_that_compare_them() -> None:
    captions = re.findall(r"\\caption\{(.*)\}", render("several"))
    assert captions[0].startswith("Audits compared, in")
    assert captions[1].startswith("Audits compared by subset")
    assert any(caption.startswith("Table 4. Subsets") for caption in captions)


def test_labels_are_unique() -> None:
    labels = re.findall(r"\\label\{(.*)\}", render("several"))
    assert len(labels) == len(set(labels)) > 10


def test_letters_that_the_encoding_lacks_are_written_as_their_code() -> None:
    assert escaped("Ħamrun") == r"\texttt{U+0126}amrun"
    assert escaped("ŧ", unicode=True) == "ŧ"


def test_more_tables_than_tex_can_hold_are_printed_in_between() -> None:
    parts = render("many").split("\\clearpage")
    assert len(parts) > 2
    assert all(part.count(r"\begin{table}") <= 16 for part in parts)


def test_long_names_have_seams_and_numbers_have_none() -> None:
    text = render("many")
    assert re.search(r"[a-z][/:-]\\allowbreak\{\}[a-z]", text)
    assert not re.search(r"\d\.\\allowbreak\{\}\d\d~", text)


@pytest.mark.parametrize("name", [*SETS, "letters"])
def test_it_compiles_where_a_tex_is_there(name: str, tmp_path: Path) -> None:
    engine = next((name for name in ("pdflatex", "tectonic") if shutil.which(name)), None)
    if engine is None:
        pytest.skip("needs a TeX")
    letters = " ".join(escaped(chr(code)) for code in range(0xA1, 0x250))
    (tmp_path / "tables.tex").write_text(letters if name == "letters" else render(name), encoding="utf-8")
    body = r"\documentclass{article}\usepackage{array,booktabs}\usepackage[T1]{fontenc}\begin{document}"
    (tmp_path / "main.tex").write_text(body + r"\input{tables}\end{document}", encoding="utf-8")
    flags = ["-halt-on-error", "-interaction=nonstopmode"] if engine == "pdflatex" else []
    subprocess.run([engine, *flags, "main.tex"], cwd=tmp_path, check=True, capture_output=True)
    too_wide = re.findall(r"Overfull \\hbox \((\d+)\.", (tmp_path / "main.log").read_text(errors="replace"))
    assert all(int(points) < 60 for points in too_wide) or name in ("hostile", "hostile_verdict", "several")
