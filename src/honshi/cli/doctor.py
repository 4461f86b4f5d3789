"""``honshi doctor``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Device, threads, versions and data in one screen.

    \b
    Example
      honshi doctor
    """
    from rich.table import Table

    from honshi.data import mnist
    from honshi.data.fashion_mnist import DEBIAN_FOLDER
    from honshi.data.fashion_mnist import SHA256 as FASHION_FILES
    from honshi.files import home
    from honshi.native.parts import parts
    from honshi.runs.environment import describe
    from honshi.runtime import available_devices, pick_device

    facts = describe(pick_device())
    del facts["started"]
    facts["available_devices"] = available_devices()
    fashion = [home() / "datasets" / "fashion-mnist", DEBIAN_FOLDER]
    here = [folder for folder in fashion if all((folder / name).is_file() for name in FASHION_FILES)]
    facts["data"] = {"mnist": str(mnist.FOLDER), "fashion-mnist": str(here[0]) if here else None}
    facts["home"] = str(home())
    compiled = parts()
    facts["compiled"] = {part.name: {"used": part.used, "why": str(part.why)} for part in compiled}
    facts["compiled_epochs"] = compiled[0].used

    why = {
        "cuda": "the first of cuda, mps, cpu that works here",
        "mps": "no cuda here",
        "cpu": "neither cuda nor mps here",
    }[pick_device().type]
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("device", f"{facts['device']} ({facts['device_name']}): {why}")
    table.add_row("threads", f"{facts['threads']} of {facts['cores']} cores")
    for part in compiled:
        table.add_row("compiled" if part is compiled[0] else "", f"{part.name}: {'used' if part.used else 'not used'}")
        if not part.used:
            table.add_row("", f"  {part.why}")
    table.add_row("system", facts["system"])
    table.add_row("versions", ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    table.add_row("mnist", "in the package")
    table.add_row("fashion-mnist", facts["data"]["fashion-mnist"] or "not here; fetched when first used")
    table.add_row("home", f"{facts['home']} (HONSHI_HOME names another)")
    console(as_json).print(table)
    if as_json:
        print_json(facts)
