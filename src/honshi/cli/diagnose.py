"""``honshi diagnose``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json


@click.command()
@click.argument("run", default="latest")
@json_option
def diagnose(run: str, as_json: bool) -> None:
    """What a run's curves say: a verdict, what it rests on, and what to try next.

    The verdict is one of good fit, underfitting, overfitting (since which epoch), diverged, stuck, plateaued,
    still learning, unstable, too noisy to say. The run may be finished, interrupted or diverged. Its folder gets
    the curves with the place marked (diagnosis.png).

    \b
    Example
      honshi diagnose latest
    """
    from honshi.evaluation.remedies import remedies_for
    from honshi.experiment import diagnose_run
    from honshi.runs import find

    found = find(run)
    diagnosis = diagnose_run(found)
    remedies = remedies_for(diagnosis.verdict, found.recipe, found.available)
    recipe = found.path / "recipe.toml"
    picture = None
    if rows := found.history:
        from honshi.reports.curves import draw_diagnosis

        picture = found.path / "diagnosis.png"
        draw_diagnosis(rows, diagnosis, picture)

    screen = console(as_json)
    screen.print(f"Diagnosis of {found.path}", soft_wrap=True)
    screen.print(diagnosis.sentence, style="bold", soft_wrap=True)
    screen.print()
    for sentence in diagnosis.evidence.sentences if diagnosis.evidence is not None else []:
        screen.print(f"  {sentence}", soft_wrap=True)
    if picture is not None:
        screen.print(f"  Picture: {picture}", soft_wrap=True)
    screen.print("\nWhat to try, the largest gain to expect first; one at a time")
    for remedy in remedies:
        screen.print(f"  {remedy.name}: {remedy.why}\n    {remedy.command(recipe)}", soft_wrap=True)
    screen.print(f"Or all of them, with their noise: honshi improve {found.path}", soft_wrap=True)
    if found.finished:
        screen.print(f"Then: honshi compare {found.path} latest   (better, or only luckier?)", soft_wrap=True)
    if as_json:
        print_json(
            {
                "run": str(found.path),
                **diagnosis.to_dict(),
                "picture": str(picture) if picture is not None else None,
                "remedies": [
                    {
                        "name": remedy.name,
                        "why": remedy.why,
                        "changes": dict(remedy.changes),
                        "command": remedy.command(recipe),
                    }
                    for remedy in remedies
                ],
            }
        )
