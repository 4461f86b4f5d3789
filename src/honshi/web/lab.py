"""What all answers are made from."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from honshi.errors import RunNotFoundError
from honshi.runs import Run
from honshi.web.child import Child
from honshi.web.watch import Watch


@dataclass(frozen=True)
class Lab:
    """What the answers are made from.

    Attributes:
        watch: the runs as they are now.
        quick: a process that computes what a hand waits for: a drawing's probabilities.
        slow: one for what takes its time.
    """

    watch: Watch
    quick: Child
    slow: Child

    def run(self, request: Request) -> Run:
        """The run that an address names.

        Raises:
            RunNotFoundError: there is none of that name.
        """
        return self.run_called(request.path_params["run"])

    def run_called(self, name: str) -> Run:
        """A run by its name, looked up among those that there are.

        Raises:
            RunNotFoundError: there is none of that name.
        """
        run = self.watch.run_called(name)
        if run is None:
            raise RunNotFoundError("There is no run called {name!r}.", name=name)
        return run
