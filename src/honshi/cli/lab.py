"""``honshi lab``"""

from __future__ import annotations

import click

from honshi.cli.console import console


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="Where to listen; the first free from 8117 on."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen for other machines too; whoever has the printed address can train and sit exams.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def lab(port: int | None, host: str, no_browser: bool) -> None:
    """A local web page on which one trains, watches, looks inside and sits the exam.

    It needs the extra "lab". The address holds a token: without it nobody gets in, also not another
    user of this machine.

    \b
    Example
      honshi lab --no-browser
    """
    from honshi.errors import RequestError

    try:
        from honshi.web.serve import said, serve
    except ModuleNotFoundError as error:
        raise RequestError(
            "The lab needs {package}, which is not installed: pip install 'honshi[lab]'", package=error.name
        ) from error

    screen = console()
    serve(
        port=port,
        host=host,
        browser=not no_browser,
        tell=lambda address: screen.print(str(said(address)), soft_wrap=True),
    )
