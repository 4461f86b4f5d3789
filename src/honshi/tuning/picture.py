"""A search as a picture: how the best came about, what mattered, and where the good values lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from honshi.recipe import Recipe
from honshi.recipe.ranges import Range, Sizes
from honshi.reports.picture import drawn, save_picture
from honshi.tuning.study import Trial

# Okabe and Ito, 2008, as in the learning curves.
COMPLETE, BEST, PRUNED = "#0072B2", "#D55E00", "0.72"
SLICES = 4


def draw(trials: Sequence[Trial], importance: Mapping[str, float], recipe: Recipe, path: Path) -> None:
    """Draw a search.

    Args:
        trials: of the study.
        importance: of each hyperparameter, the largest first; may be empty.
        recipe: with the space, which says what has a logarithmic axis.
        path: the picture; its suffix tells the kind.
    """
    scored = [trial for trial in trials if trial.finished and trial.accuracy is not None]
    figure = Figure(figsize=(11, 6.6), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    history, bars = above.subplots(1, 2)
    _history(history, scored)
    _importance(bars, importance)
    names = list(importance) or sorted({name for trial in scored for name in trial.parameters})
    for place, name in enumerate(names[:SLICES], start=1):
        axes = below.add_subplot(1, SLICES, place, sharey=history)
        _slice(axes, [trial for trial in scored if name in trial.parameters], name, _is_log(recipe, name))
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    save_picture(figure, path)


def _history(axes: Axes, trials: Sequence[Trial]) -> None:
    _dots(axes, [trial.number for trial in trials], trials)
    best: list[tuple[int, float]] = []
    for trial in trials:
        if trial.state == "complete" and trial.accuracy is not None:
            best.append((trial.number, max([trial.accuracy, *(accuracy for _, accuracy in best[-1:])])))
    if best:
        best.append((max(trial.number for trial in trials), best[-1][1]))
        axes.step(
            *zip(*best, strict=True),
            where="post",
            color=BEST,
            linewidth=1.8,
            label=drawn("best: {accuracy:.2%}", accuracy=best[-1][1]),
        )
    # Trials that failed at once would leave no room for the differences between the good ones.
    accuracies = sorted(trial.accuracy for trial in trials if trial.accuracy is not None)
    if len(accuracies) > 1:
        low, high = accuracies[len(accuracies) // 4], accuracies[-1]
        margin = max(0.1 * (high - low), 0.001)
        axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(drawn("trial"))
    axes.set_title(drawn("validation accuracy"), loc="left", fontweight="bold")
    axes.grid(color="0.92")
    axes.legend(loc="best", fontsize=8, edgecolor="none")


def _importance(axes: Axes, importance: Mapping[str, float]) -> None:
    axes.set_title(drawn("importance"), loc="left", fontweight="bold")
    if not importance:
        axes.text(0.5, 0.5, drawn("too few trials to tell"), ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    axes.barh(list(importance), list(importance.values()), color=COMPLETE)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.tick_params(axis="y", labelsize=8)


def _slice(axes: Axes, trials: Sequence[Trial], name: str, log: bool) -> None:
    """Accuracy against one hyperparameter."""
    values = [trial.parameters[name] for trial in trials]
    if any(isinstance(value, str) for value in values):
        places = sorted({str(value) for value in values})
        _dots(axes, [places.index(str(value)) for value in values], trials)
        axes.set_xticks(range(len(places)), places)
        axes.margins(x=0.3)
    else:
        _dots(axes, values, trials)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(values) < 50 * min(values) else (1.0,)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif all(isinstance(value, int) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(name)
    axes.tick_params(labelsize=8)
    axes.grid(color="0.92")


def _dots(axes: Axes, places: Sequence[float], trials: Sequence[Trial]) -> None:
    for state, colour, label in (("pruned", PRUNED, "stopped early"), ("complete", COMPLETE, "complete")):
        chosen = [(place, trial.accuracy) for place, trial in zip(places, trials, strict=True) if trial.state == state]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), linestyle="none", marker="o", markersize=4, color=colour, label=label)


def _is_log(recipe: Recipe, name: str) -> bool:
    """Whether a hyperparameter has a logarithmic range; its name begins with its key."""
    if recipe.tune is None:
        return False
    for key, entry in recipe.tune.space.items():
        if name == key or name.startswith(f"{key}."):
            plain = entry.get(name.rsplit(".", 1)[-1]) if isinstance(entry, dict) else entry
            is_count = name.endswith(".layers")
            return isinstance(plain, Range | Sizes) and plain.log and not is_count
    return False
