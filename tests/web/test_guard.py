"""Who may ask the lab for something, and for how much."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import HOST, TOKEN

from honshi.web.guard import MOST_BYTES


def test_without_the_token_nothing_is_answered(stranger: TestClient) -> None:
    for path in ("/", "/events", "/static/lab.css", "/api/differences", "/?token=wrong", "/?token=%C3%A4"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.text.count("\n")) == (403, 1)
        assert "token" in answer.text


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get("/", params={"token": TOKEN, "search": "x"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/?search=x")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "///evil.example/x"])
def test_the_token_leads_to_no_other_host(stranger: TestClient, path: str) -> None:
    answer = stranger.get(f"http://{HOST}{path}", params={"token": TOKEN})

    assert not answer.headers.get("location", "/").startswith(("//", "/\\"))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8117", ""])
def test_another_host_is_refused(user: TestClient, host: str) -> None:
    assert user.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": f"https://{HOST}"},
        {"origin": f"http://{HOST}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_another_site_changes_nothing(user: TestClient, headers: dict[str, str]) -> None:
    assert user.post("/language/ja", headers=headers).status_code == 403
    assert user.post("/language/ja", headers={"origin": f"http://{HOST}"}).status_code == 204


def test_a_link_on_another_page_leads_here_and_a_picture_there_does_not(user: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    picture = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}

    assert user.get("/", headers=link).status_code == 200
    assert user.get("/", headers=picture).status_code == 403


def test_more_than_it_takes_is_refused_also_where_the_length_is_not_said(user: TestClient) -> None:
    def pieces() -> object:
        for _ in range(12):
            yield b" " * (1 << 20)

    headers = {"content-type": "application/json"}
    assert user.post("/api/comparison", content=b" " * (MOST_BYTES + 1), headers=headers).status_code == 413
    assert user.post("/api/comparison", content=pieces(), headers=headers).status_code == 413  # type: ignore[arg-type]


@pytest.mark.parametrize("length", ["x", "-1", "1e3"])
def test_a_length_that_is_none_is_refused(user: TestClient, length: str) -> None:
    answer = user.post("/language/ja", headers={"content-length": length})

    assert answer.status_code == 400


def test_every_answer_forbids_what_the_lab_does_not_need(user: TestClient) -> None:
    for path in ("/", "/static/lab.css", "/nothing"):
        headers = user.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
