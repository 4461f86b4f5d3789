"""``honshi diagnose``"""

from __future__ import annotations

from shlex import quote

import click

from honshi.cli.console import console, json_option, note, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option
from honshi.messages import said


@click.command()
@click.argument("run", default="latest")
@data_option
@json_option
def diagnose(run: str, data: str | None, as_json: bool) -> None:
    """What a run's curves say: a verdict, what it rests on, and what to try next.

    The verdict is one of good fit, underfitting, overfitting (since which epoch), diverged, stuck, plateaued,
    still learning, unstable, too noisy to say. The run may be finished, interrupted or diverged. Its folder gets
    the curves with the place marked (diagnosis.png).

    \b
    Example
      honshi diagnose latest
    """
    with loading():
        from honshi.actions.diagnose import diagnose as action

    found = action(run, data)
    diagnosis, path = found.diagnosis, found.run.path
    screen = console(as_json)
    screen.print(said("Diagnosis of {run}", run=path), soft_wrap=True)
    screen.print(str(diagnosis.sentence), style="bold", soft_wrap=True)
    screen.print()
    for sentence in diagnosis.evidence.sentences if diagnosis.evidence is not None else []:
        screen.print(f"  {sentence}", soft_wrap=True)
    if found.more is not None:
        screen.print(f"  {found.more.sentence}", soft_wrap=True)
    if found.picture is not None:
        screen.print("  " + said("Picture: {picture}", picture=found.picture), soft_wrap=True)
    if found.changes is not None:
        screen.print("  " + note(found.changes), soft_wrap=True)
    if found.note is not None:
        screen.print("  " + note(found.note), soft_wrap=True)
    screen.print("\n" + said("What to try, the largest gain to expect first; one at a time"))
    for remedy in found.remedies:
        screen.print(f"  {remedy.name}: {remedy.why}\n    {found.command(remedy)}", soft_wrap=True)
    command = f"honshi improve {quote(str(path))}"
    screen.print(said("Or all of them, told apart from chance: {command}", command=command), soft_wrap=True)
    if found.run.finished:
        command = f"honshi compare {quote(str(path))} latest"
        screen.print(said("Then: {command}   (better, or only luckier?)", command=command), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)
