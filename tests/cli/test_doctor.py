import json

from mi_audit._version import __version__
from mi_audit.stages import doctor as stage


def test_doctor_names_versions_devices_and_what_is_missing(command):
    done = command("doctor")
    assert done.code == 0
    assert f"mi-audit {__version__}" in done.stdout
    assert "cpu: " in done.stdout
    assert "named data sets in data, for --data cifar100" in done.stdout


def test_data_sets_whose_files_are_there_are_named(command, official_data_dir):
    document = json.loads(command("doctor", "--data-dir", official_data_dir, "--json").stdout)
    assert {"cifar10", "cifar100", "fashion-mnist", "mnist"} <= set(document["data"])
    assert "svhn" not in document["data"]
    assert document["versions"]["mi-audit"] == __version__
    assert not any("named data sets" in lack["what"] for lack in document["lacks"])


def test_a_library_that_is_not_there_is_named_with_what_needs_it(monkeypatch):
    original = stage._version
    monkeypatch.setattr(stage, "_version", lambda name: None if name in ("pyarrow", "torch") else original(name))
    found = {lack.what: lack for lack in stage.health().lacks}
    assert "parquet" in found["the library pyarrow"].needed_for
    assert found["the library pyarrow"].tip == "pip install 'mi-audit[parquet]'"
    assert "extract" in found["the library torch"].needed_for
    assert "pyarrow" not in stage.health().versions
