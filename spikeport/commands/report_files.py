"""Files that `report` writes: the page, and from it tables and pictures for a paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spikeport.common.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class ReportFiles:
    """page: None for the default; table: a .tex or .csv file of all tables; kit: a folder of tables and pictures."""

    page: Path | None = None
    table: Path | None = None
    kit: Path | None = None

    def check(self) -> None:
        """Raises InputError for a name with another ending, before anything is computed."""
        if self.page is not None and self.page.suffix != ".html":
            raise InputError(f"{self.page}: the page is a .html file; give -o a name that ends in .html")
        if self.table is not None:
            from spikeport.report.paper_kit import check_table_file

            check_table_file(self.table)

    def write_more(self, page: str, console: Console) -> None:
        """Write tables and pictures of a page, where they are asked for."""
        from spikeport.console.output import say
        from spikeport.report.paper_kit import write_kit, write_tables

        if self.table is not None:
            write_tables(page, self.table)
            say(console, f"{self.table}: written")
        if self.kit is not None:
            say(console, f"{self.kit}: {len(write_kit(page, self.kit))} files written")
