"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from honshi import errors
from honshi.errors import HonshiError, IdxError, NonFiniteLossError, RequestError, SealedError

EVERY = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, Exception) and not issubclass(error, Warning) and error.__module__ == errors.__name__
]


def drawn() -> dict[str, list[str]]:
    """Each error of the docstring with the names of its bases: the one above it, and one in brackets."""
    tree: dict[str, list[str]] = {}
    ancestors: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        branch, _, _ = line.strip("│├└─ ").partition("  ")
        name, _, also = branch.partition(" (")
        if not name.endswith("Error"):
            continue
        depth = line.index(name) // 4 - 1
        ancestors[depth:] = [name]
        parent = ancestors[depth - 1] if depth else "Exception"
        tree[name] = [parent, also.rstrip(")")] if also else [parent]
    return tree


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    assert drawn() == {error.__name__: [base.__name__ for base in error.__bases__] for error in EVERY}


def test_the_drawing_is_read_as_a_tree() -> None:
    assert drawn()["IdxError"] == ["DataError"]
    assert drawn()["SealedError"] == ["HonshiError", "TypeError"]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_a_wrong_request_ends_with_2_and_work_that_failed_with_1(error: type[HonshiError]) -> None:
    # To hand the test set to a training is a wrong request as well.
    wrong_request = issubclass(error, RequestError | SealedError)
    assert error.exit_code == (2 if wrong_request else 1)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_every_error_says_what_it_is(error: type[HonshiError]) -> None:
    assert "__doc__" in vars(error)
    assert error.__doc__


def test_an_idx_error_carries_file_and_byte() -> None:
    error = IdxError(Path("images.gz"), 7, "it ends here.")
    assert (error.path, error.offset) == (Path("images.gz"), 7)
    assert str(error) == "images.gz: byte 7: it ends here."


def test_a_diverged_training_carries_epoch_and_step_and_names_remedies() -> None:
    error = NonFiniteLossError("loss became nan", 2, 30, 0.5)
    assert (error.epoch, error.step) == (2, 30)
    for words in ("loss became nan", "it was 0.5", "schedule.warmup_epochs", "training.clip_grad_norm"):
        assert words in str(error)


def test_a_sealed_error_is_a_type_error_that_explains_the_exam() -> None:
    error = SealedError("Tried to look")
    assert isinstance(error, TypeError)
    assert str(error).startswith("Tried to look: the test set is sealed. It is the real exam and is sat once")
    for way_out in ("honshi.test(model, splits.test)", "honshi test RUN", "splits.val", "honshi validate RUN"):
        assert way_out in str(error)


@pytest.mark.parametrize(
    "error",
    [
        RequestError("{path}: there is no such folder.", path=Path("nowhere")),
        IdxError(Path("images.gz"), 7, "it ends {where}.", where="here"),
        NonFiniteLossError("loss became nan", 2, 30, 0.5),
        SealedError("Tried to {what}", what="look"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_whole_from_another_process(error: HonshiError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.message == error.message
    assert vars(again) == vars(error)


def test_the_sentence_of_an_error_is_apart_from_what_is_filled_in() -> None:
    error = RequestError("{path}: there is no such folder.", path=Path("nowhere"))
    assert error.message.sentence == "{path}: there is no such folder."
    assert error.message.parameters == {"path": Path("nowhere")}
    assert str(error) == "nowhere: there is no such folder."
