"""The command line: thin, one file a command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import click

from honshi.cli.cache import cache
from honshi.cli.check import check
from honshi.cli.compare import compare
from honshi.cli.diagnose import diagnose
from honshi.cli.doctor import doctor
from honshi.cli.export import export
from honshi.cli.improve import improve
from honshi.cli.lab import lab
from honshi.cli.labels import labels
from honshi.cli.ledger import ledger
from honshi.cli.predict import predict
from honshi.cli.runs import runs
from honshi.cli.shards import shards
from honshi.cli.streams import close_output, make_ready
from honshi.cli.test import test
from honshi.cli.train import train
from honshi.cli.tune import tune
from honshi.cli.validate import validate
from honshi.errors import HonshiError, HonshiWarning, RecipeError
from honshi.files import explain
from honshi.language import have_gettext_speak, language, preferred, speaking, translated
from honshi.messages import said

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="honshi", prog_name="honshi")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from; may stand anywhere.")
def honshi() -> None:
    """Train image classifiers and end with a score that you may believe.

    \b
    Begin with
      honshi check                 the usual mistakes, found in seconds
      honshi train                 MNIST, the lecture's network, a few seconds
      honshi diagnose latest       what its curves say, and what to try
      honshi validate latest       the mock exam: as often as you like
      honshi predict latest a.png  what is in this image?
      honshi test latest           the real exam: once, on the record

    RUN is a run's folder, its name, a unique prefix of it, "latest" or "best".
    """


for command in (
    check,
    train,
    tune,
    runs,
    diagnose,
    improve,
    validate,
    compare,
    labels,
    predict,
    export,
    test,
    ledger,
    shards,
    cache,
    lab,
    doctor,
):
    honshi.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code.

    0 done; 1 it failed while working; 2 the request itself was wrong; 130 interrupted.
    """
    make_ready()
    with speaking(preferred()):
        have_gettext_speak(language())
        _translate(honshi)
        _run()


def _translate(command: click.Command) -> None:
    """Give a command and all below it their help in the language that is spoken."""
    if command.help:
        command.help = translated(inspect.cleandoc(command.help))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = translated(parameter.help)
    for inner in getattr(command, "commands", {}).values():
        _translate(inner)


def _run() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    # torchrun starts the same command several times on a machine; of what is wrong with it the first one speaks.
    silent = os.environ.get("LOCAL_RANK", "0") != "0"
    warnings.showwarning = partial(_show_warning, warnings.showwarning, silent)
    try:
        code = honshi.main(arguments, prog_name="honshi", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        if not silent:
            error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        if not silent:
            _say(said("Interrupted."))
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has closed it, as `| head` does.
        sys.exit(1)
    except Exception as error:
        if isinstance(error, RecipeError) and silent:
            sys.exit(error.exit_code)
        if debug:
            traceback.print_exc()
        _say(said("Error: {error}", error=_sentence(error)))
        sys.exit(error.exit_code if isinstance(error, HonshiError) else 1)
    finally:
        close_output()


def _show_warning(
    otherwise: Callable[..., None], silent: bool, message: Warning | str, *where: Any, **named: Any
) -> None:
    """What honshi itself says is a sentence for people; where in its code it was said is none of their business."""
    if not isinstance(message, HonshiWarning):
        otherwise(message, *where, **named)
    elif not silent:
        _say(said("Warning: {warning}", warning=message))


def _sentence(error: Exception) -> str:
    if isinstance(error, HonshiError):
        return str(error)
    if isinstance(error, OSError):
        return str(explain(error))
    return said("{kind}: {problem} (--debug shows where)", kind=type(error).__name__, problem=error)


def _say(sentence: str) -> None:
    # Where stderr cannot be written to either, the exit code has to tell.
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
