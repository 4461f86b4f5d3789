"""``python -m honshi`` is the command ``honshi``."""

from honshi.cli import main

main()
