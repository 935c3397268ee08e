"""Commands on the collection of trained networks: models, models get, models make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from spikeport.common.errors import InputError

from . import completion
from .option_groups import OutputOption, grouped

models_app = typer.Typer()


@grouped
def models(context: typer.Context, streams: OutputOption) -> None:
    """List the trained networks that come with spikeport, or copy one of them.

    Example: spikeport models
    """
    if context.invoked_subcommand is not None:
        return
    from spikeport.results.zoo_table import show_cards
    from spikeport.zoo.card import read_card
    from spikeport.zoo.collection import cards

    found = [read_card(path) for path in cards().values()]
    show_cards(found, streams.console)
    streams.write_json({"models": [card.to_dict() for card in found]})


@grouped
def get(
    name: Annotated[str, typer.Argument(help="The network.", metavar="NAME", autocompletion=completion.models)],
    streams: OutputOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")] = Path("models"),
) -> None:
    """Copy a trained network, its card, and the first test samples into a folder.

    Example: spikeport models get digits
    """
    from spikeport.console.output import say
    from spikeport.results.zoo_table import show_card
    from spikeport.zoo.collection import copy_model, find_card

    card, written = copy_model(find_card(name), out)
    show_card(card, streams.console)
    say(streams.console, "\n".join(f"{path}: written" for path in written) or f"{out}: all files exist already")
    streams.write_json({"written": [str(path) for path in written], "card": card.to_dict()})


@grouped
def make(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.", metavar="DIR")],
    streams: OutputOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")] = Path("models"),
    name: Annotated[
        Optional[str],  # noqa: UP045 - typer on Python 3.10 reads the annotation at run time
        typer.Option("--name", help="The network's name, default the recipe's.", metavar="NAME"),
    ] = None,
    data_source: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--data-source", help="Where data of your own come from.", metavar="TEXT"),
    ] = None,
    licence: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--licence", help="The licence of a network trained on them.", metavar="TEXT"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of this name in --out.")] = False,
) -> None:
    """Make a network with its card from a finished run.

    Example: spikeport models make runs/digits --out models
    """
    from spikeport.console.output import say
    from spikeport.zoo.make import Origin, make_model

    if (data_source is None) != (licence is None):
        raise InputError("--data-source and --licence belong together; give both or none")
    origin = None if data_source is None or licence is None else Origin(data_source, licence)
    written = make_model(run, out, name, origin, overwrite)
    say(streams.console, "\n".join(f"{path}: written" for path in written))
    streams.write_json({"written": [str(path) for path in written]})


models_app.callback(invoke_without_command=True)(models)
for _command in (get, make):
    models_app.command(_command.__name__)(_command)
