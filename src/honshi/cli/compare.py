"""``honshi compare``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json


@click.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@json_option
def compare(first: str, second: str, as_json: bool) -> None:
    """Whether the second run is better than the first, or only luckier, on the same validation images.

    \b
    Example
      honshi compare 20260401 latest
    """
    from honshi.errors import RequestError
    from honshi.evaluation.comparison import compare as compare_answers
    from honshi.evaluation.evaluate import right_answers
    from honshi.evaluation.intervals import wilson
    from honshi.experiment import open_finished
    from honshi.runs import looks

    (run_a, model_a, splits_a), (run_b, model_b, splits_b) = open_finished(first), open_finished(second)
    if splits_a.manifest.val_sha256 != splits_b.manifest.val_sha256:
        raise RequestError(
            f"{run_a.name} and {run_b.name} were validated on different images, so they cannot be compared. "
            "Train both on the same data with the same --val and data.seed."
        )
    right = []
    for run, model, splits in ((run_a, model_a, splits_a), (run_b, model_b, splits_b)):
        right.append(right_answers(model, splits.val))
        looks.note(splits.manifest.val_sha256, "compare", run.name)
    result = compare_answers(*right)
    accuracies = [float(answers.double().mean()) for answers in right]
    screen = console(as_json)
    for run, answers in zip((run_a, run_b), right, strict=True):
        count = int(answers.sum())
        lower, upper = wilson(count, result.n)
        interval = f"95 % interval {lower:.2%} to {upper:.2%}, n = {result.n:,}"
        screen.print(f"{count / result.n:.2%} ({interval})  {run.name}", soft_wrap=True)
    verdict = (
        "the difference is within noise"
        if result.within_noise
        else f"the {'second' if result.difference > 0 else 'first'} is better by more than noise"
    )
    screen.print(
        f"Difference {result.difference * 100:+.2f} points on the same {result.n:,} validation images; only the first "
        f"is right on {result.only_first}, only the second on {result.only_second}. McNemar's exact test: "
        f"p = {result.p_value:.3g}, {verdict}.",
        soft_wrap=True,
    )
    if as_json:
        print_json({"runs": [str(run_a.path), str(run_b.path)], "accuracies": accuracies, **result.to_dict()})
