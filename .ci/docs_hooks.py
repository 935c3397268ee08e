"""Pages of the site that are made of data: every constant of every profile, with its source."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from spikeport.hardware_profiles.loader import available, load_profile
from spikeport.hardware_profiles.schema import constants

PAGE = "reference/profiles.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of constants."""
    files.append(File.generated(config, PAGE, content=profiles_page()))
    return files


def profiles_page() -> str:
    """A table a profile."""
    lines = ["# All constants", "", "As `spikeport chips NAME` prints them; units are SI.", ""]
    for name in available():
        profile = load_profile(name)
        lines += [f"## {name}", "", f"**{profile.title}.** {profile.summary}", ""]
        lines += [
            "| constant | value | low | high | unit | kind | source | date |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for key, number in constants(profile):
            shown = (key, number.value, number.low, number.high, number.unit, number.kind, number.source, number.date)
            lines.append("| " + " | ".join("" if cell is None else _plain(cell) for cell in shown) + " |")
        lines.append("")
    return "\n".join(lines)


def _plain(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
