"""Everything that honshi raises on purpose.

    HonshiError                    exit code 1: it failed while working
    ├── RequestError               exit code 2: the request itself was wrong
    │   ├── RecipeError            a recipe or option that does not hold together
    │   ├── ArgumentError (ValueError)  a function of the library was given a value that cannot be
    │   ├── WrongKindError (TypeError)  it was given something of a kind that it does not accept
    │   ├── DataNotFoundError      no data set of that name, no such folder
    │   ├── DataRefusedError (DataError)  the data at a path, a folder or a table, do not hold together
    │   ├── RunNotFoundError       no run, or more than one, answers to that name
    │   └── AlreadyOpenedError     another model has sat this test set
    ├── DataError                  the data are there and cannot be used
    │   ├── IdxError               an IDX file is damaged; carries file and offset
    │   └── DownloadError          no mirror gave the right file
    ├── ImageError                 an image to predict could not be read
    ├── ModelError                 the model does not fit the data, or a weights file the model
    ├── NonFiniteLossError         training diverged; carries epoch and step
    ├── RunError                   a run folder is incomplete, damaged or already finished
    ├── LedgerError                the record of openings cannot be read or written
    ├── WriteError (OSError)       a file or a folder cannot be written: no room, no permission
    └── SealedError (TypeError)    the test set was handed to something that is not the exam

Each message says what happened, where, and what to do about it: the command line prints it as it is. It is a sentence
with named places and what belongs there (`honshi.messages`):

    raise DataNotFoundError("{path}: there is no such file.", path=path)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honshi.messages import Message


class HonshiError(Exception):
    """Base of all errors that honshi raises on purpose.

    Attributes:
        message: the sentence and what is filled into it.
    """

    exit_code = 1

    def __init__(self, sentence: str | Message, /, **parameters: Any) -> None:
        self.message = sentence if isinstance(sentence, Message) else Message(sentence, **parameters)
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with the text alone, which those with more to carry do not take.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[HonshiError], arguments: tuple[Any, ...]) -> HonshiError:
    return kind.__new__(kind, *arguments)


class RequestError(HonshiError):
    """The request itself was wrong: nothing has been started."""

    exit_code = 2


class RecipeError(RequestError):
    """A recipe, or an option that changes one, is not valid."""


class ArgumentError(RequestError, ValueError):
    """A function of the library was given a value that cannot be: nothing has been started."""


class WrongKindError(RequestError, TypeError):
    """A function of the library was given something of a kind that it does not accept."""


class DataNotFoundError(RequestError):
    """No data set of that name, or no such folder."""


class DataError(HonshiError):
    """The data were found and cannot be used as they are."""


class DataRefusedError(RequestError, DataError):
    """What lies at the path that was given as data cannot be taken as it is: nothing has been started."""


class RunNotFoundError(RequestError):
    """No run, or more than one, answers to that name."""


class AlreadyOpenedError(RequestError):
    """Another model has sat this test set, and no reason was given to open it again."""


class IdxError(DataError):
    """An IDX file is damaged or is not one.

    Attributes:
        path: the file.
        offset: the byte, counted in the uncompressed content, at which it stopped making sense.
    """

    def __init__(self, path: Path, offset: int, problem: str, /, **parameters: Any) -> None:
        problem_there = Message(problem, **parameters)
        super().__init__("{path}: byte {offset}: {problem}", path=path, offset=offset, problem=problem_there)
        self.path = path
        self.offset = offset


class DownloadError(DataError):
    """Every mirror failed or answered with something else than the file."""


class ImageError(HonshiError):
    """An image to predict could not be read."""


class ModelError(HonshiError):
    """The model does not fit the data, or a weights file does not fit the model."""


class NonFiniteLossError(HonshiError):
    """A loss became infinite or not a number.

    Attributes:
        epoch: the epoch, from 1.
        step: the mini-batch in that epoch, from 1, whose update was not applied; None where it was
            the validation loss.
    """

    def __init__(self, problem: str | Message, epoch: int, step: int | None, lr: float) -> None:
        super().__init__(
            "The {problem}, so training stopped there. "
            "Try a smaller learning rate (it was {lr:g}), a warm-up (--set schedule.warmup_epochs=1) "
            "or gradient clipping (--set training.clip_grad_norm=1.0), and look for values in the "
            "data that are not numbers.",
            problem=problem,
            lr=lr,
        )
        self.epoch = epoch
        self.step = step


class RunError(HonshiError):
    """A run folder is incomplete, damaged, or already finished."""


class LedgerError(HonshiError):
    """The record of openings cannot be read or written."""


class WriteError(HonshiError, OSError):
    """A file or a folder cannot be written: there is no room, no permission, or the name is taken."""

    def __init__(self, sentence: str | Message, cause: OSError, /, **parameters: Any) -> None:
        super().__init__(sentence, **parameters)
        self.errno, self.strerror, self.filename = cause.errno, cause.strerror, cause.filename


class SealedError(HonshiError, TypeError):
    """The sealed test set was handed to something that is not the exam."""

    exit_code = 2

    def __init__(self, attempt: str, /, **parameters: Any) -> None:
        super().__init__(
            "{attempt}: the test set is sealed. It is the real exam and is sat once, at the end, "
            "with honshi.test(model, splits.test) or `honshi test RUN`. To measure while you still "
            "decide things, use the mock exam: splits.val, or `honshi validate RUN`.",
            attempt=Message(attempt, **parameters),
        )


class HonshiWarning(UserWarning):
    """What honshi does all the same, and says because it costs something.

    Attributes:
        message: the sentence and what is filled into it.
    """

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message
