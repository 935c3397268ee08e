"""Completion in a real shell, by the script that --install-completion writes, and the program called alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import spikeport

BASH = shutil.which("bash")
PROGRAMS = Path(sys.executable).parent

# what bash does when TAB is pressed after $LINE
_TAB = """
source "$HOME/.bash_completions/spikeport.sh"
read -ra COMP_WORDS <<< "$LINE"
[[ "$LINE" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_spikeport_completion spikeport
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    values = {**os.environ, "HOME": str(home), "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    # what --install-completion writes, without its search for the shell above this process
    script = subprocess.run(
        [PROGRAMS / "spikeport"], env={**values, "_SPIKEPORT_COMPLETE": "source_bash"}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    (home / ".bash_completions").mkdir()
    (home / ".bash_completions" / "spikeport.sh").write_text(script)
    return values


@pytest.mark.skipif(BASH is None or not (PROGRAMS / "spikeport").exists(), reason="needs bash and an installation")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("spikeport ch", {"check", "chips"}),
        ("spikeport simulate m.nir --chip lo", {"loihi1", "loihi2"}),
        ("spikeport compile m.nir --from no", {"norse"}),
        ("spikeport compare runs/a --devices usb_accelerator,mi", {"usb_accelerator,microcontroller"}),
        ("spikeport run digits_c", {"digits_cnn"}),
    ],
)
def test_tab_in_bash_completes_commands_and_values(environment: dict[str, str], line: str, expected: set[str]) -> None:
    done = subprocess.run(
        [str(BASH), "-c", _TAB], env={**environment, "LINE": line}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert expected <= set(done.stdout.split()), done.stdout


def test_alone_it_prints_its_help_and_no_error() -> None:
    done = spikeport()
    assert done.returncode == 2 and "Usage:" in done.stdout and done.stderr == ""
