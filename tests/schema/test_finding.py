import pytest

from mi_audit.schema.finding import Finding


@pytest.mark.parametrize("fields", [("slug", "fatal", "text"), ("", "note", "text"), ("slug", "note", "")])
def test_a_finding_needs_a_name_a_known_severity_and_a_sentence(fields):
    assert Finding("slug", "note", "text").severity == "note"
    with pytest.raises(ValueError, match="expected a s"):
        Finding(*fields)
