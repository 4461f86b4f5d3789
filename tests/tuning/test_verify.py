"""Whatever has happened to a study, a search goes on with it or says in a sentence why not; and leaves it as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from honshi.errors import HonshiError, RunError
from honshi.recipe import Recipe
from honshi.tuning import Search
from honshi.tuning.space import distributions, suggest, with_space
from honshi.tuning.study import trials_of
from honshi.tuning.verify import verify_study

Damage = Callable[[Path], object]


def recipe_of(idx_folder: Path) -> Recipe:
    return Recipe.read("lecture").changed({"data.source": f"idx:{idx_folder}", "training.epochs": 4})


@pytest.fixture(scope="module")
def whole(idx_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search with complete, pruned, failed and waiting trials, of random values; nothing was trained for it."""
    folder = tmp_path_factory.mktemp("whole") / "search"
    search = Search.begin(recipe_of(idx_folder), folder)
    with search.opened() as study, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no worker gives signs of life here
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        for number in range(8):
            trial = study.ask()
            suggest(trial, search.recipe)
            trial.set_user_attr("worker", "here/1")
            for epoch in range(1, 5):
                trial.report(0.5 + epoch / 100, epoch)
            if number == 3:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            elif number % 2:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, 0.5 + number / 100)
        study.enqueue_trial({"model.dropout": 0.2})
        search._write_trials(trials_of(study))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "search"))


def go_on(folder: Path, idx_folder: Path) -> int:
    """Open the search as ``honshi tune --out`` does; how many trials it has."""
    with Search.begin(recipe_of(idx_folder), folder).opened() as study:
        return len(trials_of(study))


def test_one_that_is_whole_goes_on(folder: Path, idx_folder: Path) -> None:
    assert go_on(folder, idx_folder) == 9


def test_an_empty_one_that_never_had_a_trial_begins(tmp_path: Path, idx_folder: Path) -> None:
    Search.begin(recipe_of(idx_folder), tmp_path / "search")

    assert go_on(tmp_path / "search", idx_folder) == 0
    assert go_on(tmp_path / "search", idx_folder) == 0


def sql(*statements: str) -> Damage:
    def damage(study: Path) -> None:
        with closing(sqlite3.connect(study)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def replaced_by(content: bytes) -> Damage:
    return lambda study: study.write_bytes(content)


def cut(part: float) -> Damage:
    return lambda study: study.write_bytes(study.read_bytes()[: int(part * study.stat().st_size)])


def folder_in_its_place(study: Path) -> None:
    study.unlink()
    study.mkdir()


def another_database(study: Path) -> None:
    study.unlink()
    sql("CREATE TABLE notes (text)")(study)


def link_to_nowhere(study: Path) -> None:
    study.unlink()
    study.symlink_to("elsewhere.db")


def no_study_any_more(study: Path) -> None:
    study.unlink()
    optuna.storages.RDBStorage(f"sqlite:///{study}").engine.dispose()


TABLES = ("studies", "study_directions", "trials", "trial_params", "trial_values", "trial_intermediate_values")

DAMAGES: dict[str, Damage] = {
    "empty": replaced_by(b""),
    "zero bytes": lambda study: study.write_bytes(bytes(study.stat().st_size)),
    "a text": replaced_by(b"trial,state\n0,complete\n" * 100),
    "another database": another_database,
    "a folder": folder_in_its_place,
    "a link to nowhere": link_to_nowhere,
    "no study": no_study_any_more,
    "of another search": sql("UPDATE studies SET study_name = 'cnn-0123456789abcdef'"),
    "no direction": sql("DELETE FROM study_directions"),
    "a newer schema": sql("UPDATE alembic_version SET version_num = 'v9.0.0.a'"),
    "no trials any more": sql("DELETE FROM trials"),
    "an unknown state": sql("UPDATE trials SET state = 'LOST' WHERE number = 1"),
    "a number twice": sql("UPDATE trials SET number = 0 WHERE number = 1"),
    "no number": sql("UPDATE trials SET number = NULL WHERE number = 1"),
    "a date that is none": sql("UPDATE trials SET datetime_start = 'yesterday' WHERE number = 1"),
    "no start": sql("UPDATE trials SET datetime_start = NULL WHERE number = 0"),
    "no value": sql("DELETE FROM trial_values"),
    "an accuracy of 7": sql("UPDATE trial_values SET value = 7.0"),
    "an accuracy of infinity": sql("UPDATE trial_values SET value_type = 'INF_POS', value = NULL"),
    "a value that is text": sql("UPDATE trial_values SET value = 'good'"),
    "an unknown kind of value": sql("UPDATE trial_values SET value_type = 'GOOD'"),
    "a reported accuracy of -1": sql("UPDATE trial_intermediate_values SET intermediate_value = -1.0 WHERE step = 2"),
    "a reported accuracy that is NaN": sql(
        "UPDATE trial_intermediate_values SET intermediate_value_type = 'NAN', intermediate_value = NULL WHERE step = 2"
    ),
    "an epoch before the first": sql("UPDATE trial_intermediate_values SET step = -3 WHERE step = 2"),
    "an unknown hyperparameter": sql(
        "UPDATE trial_params SET param_name = 'colour' WHERE param_name = 'model.dropout'"
    ),
    "a hyperparameter out of its range": sql(
        "UPDATE trial_params SET param_value = 5.0 WHERE param_name = 'model.dropout'"
    ),
    "a choice that there is not": sql("UPDATE trial_params SET param_value = 9 WHERE param_name = 'optimizer.kind'"),
    "a value missing": sql("UPDATE trial_params SET param_value = NULL"),
    "another range": sql(
        """UPDATE trial_params SET distribution_json = replace(distribution_json, '0.5', '0.9')
        WHERE param_name = 'model.dropout'"""
    ),
    "a range that is no JSON": sql("UPDATE trial_params SET distribution_json = '{'"),
    "an unknown kind of range": sql("""UPDATE trial_params SET distribution_json = '{"name": "Cauchy"}'"""),
    "a trial of nowhere": sql("UPDATE trial_params SET trial_id = 99 WHERE param_id = 1"),
    "a worker that is a number": sql("UPDATE trial_user_attributes SET value_json = '3'"),
    "a worker that is no JSON": sql("UPDATE trial_user_attributes SET value_json = '{'"),
    "queued with nonsense": sql("UPDATE trial_system_attributes SET value_json = '[1]'"),
    "queued with an unknown hyperparameter": sql("""UPDATE trial_system_attributes SET value_json = '{"colour": 1}'"""),
    "queued out of range": sql("""UPDATE trial_system_attributes SET value_json = '{"model.dropout": 3.0}'"""),
    **{f"no table {table}": sql(f"DROP TABLE {table}") for table in TABLES},
    **{f"cut after {part:.0%}": cut(part) for part in (0.0001, 0.001, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999)},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_refused_in_a_sentence_and_left_as_it_is(
    folder: Path, idx_folder: Path, damage: Damage
) -> None:
    study = folder / "study.db"
    damage(study)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    with pytest.raises(HonshiError, match=r"study\.db|the file is lost") as raised:
        go_on(folder, idx_folder)

    assert raised.value.exit_code in (1, 2)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("seed", range(25))
def test_whatever_bytes_are_damaged_it_goes_on_or_is_refused(folder: Path, idx_folder: Path, seed: int) -> None:
    draws = random.Random(seed)
    content = bytearray((folder / "study.db").read_bytes())
    for place in draws.sample(range(len(content)), 40):
        content[place] = draws.randrange(256)
    (folder / "study.db").write_bytes(content)

    try:
        assert go_on(folder, idx_folder) == 9
    except RunError:
        assert (folder / "study.db").read_bytes() == content


def test_one_that_another_program_holds_is_refused(folder: Path, idx_folder: Path) -> None:
    with closing(sqlite3.connect(folder / "study.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")

        with pytest.raises(RunError, match=r"nothing can be written to it \(database is locked\)"):
            go_on(folder, idx_folder)


def test_one_that_a_killed_process_left_in_the_middle_of_a_write_goes_on(folder: Path, idx_folder: Path) -> None:
    connection = sqlite3.connect(folder / "study.db", isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")  # so that the write reaches the file
    connection.execute("BEGIN")
    connection.execute("UPDATE trial_params SET distribution_json = distribution_json || hex(zeroblob(9000))")
    copied = Path(shutil.copytree(folder, folder.parent / "killed"))
    connection.close()
    assert (copied / "study.db-journal").stat().st_size

    assert go_on(copied, idx_folder) == 9


@pytest.mark.parametrize("name", ["trials.csv", "best.toml", "tune.json", "tune.png", ".lock"])
def test_a_folder_where_a_file_is_written_is_noticed_before(folder: Path, idx_folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()

    with pytest.raises(RunError, match=rf"{name}: this is a folder"):
        go_on(folder, idx_folder)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"trial,state\n"])
def test_a_damaged_table_of_trials_does_not_matter(folder: Path, idx_folder: Path, content: bytes) -> None:
    (folder / "trials.csv").write_bytes(content)

    assert go_on(folder, idx_folder) == 9


@pytest.mark.parametrize("content", [b"\xff", b"[", b"x = 1", b'model.kind = "rnn"'])
def test_a_damaged_recipe_of_a_search_is_named(folder: Path, idx_folder: Path, content: bytes) -> None:
    (folder / "search.toml").write_bytes(content)

    with pytest.raises(RunError, match=r"search\.toml"):
        go_on(folder, idx_folder)


def test_a_lost_file_is_missed(folder: Path, idx_folder: Path) -> None:
    (folder / "study.db").unlink()

    with pytest.raises(HonshiError, match=r"there is no study\.db"):
        go_on(folder, idx_folder)


def test_a_study_in_a_database_is_looked_at_too() -> None:
    recipe = with_space(Recipe())
    study = optuna.create_study(direction="maximize")
    study.ask().suggest_float("colour", 0, 1)

    with pytest.raises(RunError, match=r"^postgresql://server: .* trial 0: this search has no colour like its"):
        verify_study(study, recipe, "postgresql://server")


@pytest.mark.parametrize("name", ["lecture", "cnn", "best"])
def test_what_is_suggested_is_what_is_known(name: str) -> None:
    recipe = with_space(Recipe.read(name))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    known = distributions(recipe)
    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for _ in range(40):
        trial = study.ask()
        suggest(trial, recipe)
        found |= trial.distributions

    assert found == known
