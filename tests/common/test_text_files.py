"""TOML and JSON: one kind of error for every fault of the text, limits on nesting, integers and size."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeport.common import text_files
from spikeport.common.limits import LARGEST_INTEGER, MOST_NESTED
from spikeport.common.text_files import parse_json, parse_toml, read_json_file, read_toml_file

DIGITS = "9" * 6000


@pytest.mark.parametrize(
    "text",
    ["a=" + "[" * 100_000, "a=" + "{b=" * 3000, "[" + "a." * 50_000 + "a]", f"a={DIGITS}", "a=0x" + "f" * 9000,
     f"a={LARGEST_INTEGER + 1}", f"[b]\na=[1, {{c={-LARGEST_INTEGER - 2}}}]", 'a="\\ud800"', "a=\x00", "a=",
     "\ufeffa=1"],
)  # fmt: skip
def test_what_is_not_toml_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_toml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5000, DIGITS, f"[{LARGEST_INTEGER + 1}]", '"\\ud800"',
                                  '{"\\udfff": 1}', "", "{", b"\xff"])  # fmt: skip
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_what_is_within_the_limits_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = "[" * (MOST_NESTED - 2) + "]" * (MOST_NESTED - 2)
    assert parse_json(deep)
    assert parse_toml(f"a = {deep}")
    assert parse_toml(f"a = {LARGEST_INTEGER}\nb = '\u00e9'") == {"a": LARGEST_INTEGER, "b": "\u00e9"}
    assert parse_json("3") == 3
    path = tmp_path / "x"
    path.write_text("123456", encoding="utf-8")
    assert read_json_file(path) == 123456
    for name, read in (("MOST_JSON_BYTES", read_json_file), ("MOST_TOML_BYTES", read_toml_file)):
        monkeypatch.setattr(text_files, name, 5)
        with pytest.raises(ValueError, match="larger"):
            read(path)
