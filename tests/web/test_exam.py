"""The exam: what is known before, opened once, and by POST alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import RUN

from honshi.actions.ledger import openings
from honshi.web.answers import ANSWERS
from honshi.web.pages import PAGES


def test_an_exam_is_sat_once_and_shown_from_then_on(user: TestClient, reader: Path) -> None:
    before = user.post(f"/api/runs/{RUN}/before-exam", json={}).json()
    assert before["result"] is None
    assert before["validation"]["n"] == 6000
    assert openings().openings == []

    sat = user.post(f"/api/runs/{RUN}/exam", json={"name": RUN, "expectations": [0.9, 0.99, 0.95]}).json()

    assert sat["result"]["n"] == 10_000
    assert (sat["result"]["expected"], sat["result"]["record"]["expectations"]) == (0.95, [0.9, 0.99, 0.95])
    assert len(openings().openings) == 1
    again = user.post(f"/api/runs/{RUN}/exam", json={"name": RUN, "expectations": [1.0]}).json()
    assert again["result"] == sat["result"]
    assert user.post(f"/api/runs/{RUN}/before-exam", json={}).json()["result"] == sat["result"]
    assert len(openings().openings) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "other"},
        {"name": RUN, "expectations": [1.5]},
        {"name": RUN, "expectations": ["0.9"]},
        {"name": RUN, "expectations": [True]},
        {"name": RUN, "expectations": 0.9},
        {"name": RUN, "expectations": [0.5] * 2000},
    ],
)
def test_it_is_not_opened_without_the_run_s_name_or_by_an_expectation_that_is_none(
    user: TestClient, reader: Path, wrong: dict[str, object]
) -> None:
    answer = user.post(f"/api/runs/{RUN}/exam", json=wrong)

    assert (answer.status_code, bool(answer.json()["error"])) == (422, True)
    assert openings().openings == []


def test_no_visit_of_any_address_opens_it(user: TestClient, reader: Path) -> None:
    paths = [page.path for page in PAGES] + [path for method, path in ANSWERS if method == "GET"]
    for path in [*paths, f"/api/runs/{RUN}/exam", f"/api/runs/{RUN}/before-exam"]:
        user.get(path.replace("{run:path}", RUN).replace("{picture}", "curves.png"), params={"columns": 10, "run": RUN})

    assert openings().openings == []
