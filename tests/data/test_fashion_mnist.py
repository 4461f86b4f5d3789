"""Fashion-MNIST: from the cache, from Debian's folder, or from the first mirror that gives the right files."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from honshi.data import fashion_mnist, verified
from honshi.data.fashion_mnist import find_folder
from honshi.data.sources import open_published
from honshi.errors import DataError, DownloadError

NAMES = list(fashion_mnist.SHA256)
# More than the buffers between server and client hold.
ENOUGH = 64 << 20


class Mirrors:
    """A web server whose folders are mirrors: good ones, and one for each way to be bad."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []
        self.sent_without_end = 0
        self.closing = threading.Event()
        mirrors = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirrors.asked.append(self.path)
                with contextlib.suppress(ConnectionError):  # the client has heard enough
                    mirrors.answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for every answer
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def url(self, mirror: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{mirror}/"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        _, mirror, name = request.path.split("/")
        content = self.files[name]
        status, announced = 200, None
        match mirror:
            case "good" | "other-good":
                pass
            case "compressed-otherwise":
                content = gzip.compress(gzip.decompress(content), compresslevel=1, mtime=12345)
            case "html":
                content = b"<!doctype html><title>Sign in</title>"
            case "empty":
                content = b""
            case "truncated":
                content = content[:-20]
            case "connection-lost":
                announced, content = len(content), content[:-20]
            case "damaged":
                content = content[:30] + bytes([content[30] ^ 0xFF]) + content[31:]
            case "another-file":
                content = gzip.compress(b"something else")
            case "slow" if name == NAMES[0]:
                self.closing.wait()
            case "without-end":
                request.send_response(200)
                request.end_headers()
                while self.sent_without_end < ENOUGH:
                    self.sent_without_end += request.wfile.write(bytes(1 << 16))
                return
            case "no-http":
                request.wfile.write(b"220 this is a mail server\r\n")
                return
            case "first-two-only":
                status = 200 if name in NAMES[:2] else 404
            case _:
                status = 404
        request.send_response(status)
        request.send_header("Content-Length", str(announced or len(content)))
        request.end_headers()
        request.wfile.write(content)


@pytest.fixture
def files(idx_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four tiny files in the place of the real ones, with their hashes."""
    contents = {name: (idx_folder / name.removesuffix(".gz")).read_bytes() for name in NAMES}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(fashion_mnist, "SHA256", hashes)
    return {name: gzip.compress(content, mtime=0) for name, content in contents.items()}


@pytest.fixture
def mirrors(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mirrors = Mirrors(files)
    yield mirrors
    mirrors.close()


@pytest.fixture
def cache(honshi_home: Path) -> Path:
    return honshi_home / "datasets" / "fashion-mnist"


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Where Debian's package would put the files; it is not installed."""
    return tmp_path / "debian"


def put(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that lies in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


class TestWhereItIsLookedFor:
    def test_the_cache_comes_first(self, files: dict[str, bytes], cache: Path, debian: Path) -> None:
        put(files, cache)
        put(files, debian)
        assert find_folder([], debian) == cache

    def test_debians_folder_comes_next(self, files: dict[str, bytes], cache: Path, debian: Path) -> None:
        put(files, debian)
        assert find_folder([], debian) == debian
        assert not cache.exists()

    def test_a_folder_that_lacks_a_file_does_not_count(self, mirrors: Mirrors, cache: Path, debian: Path) -> None:
        put({name: mirrors.files[name] for name in NAMES[1:]}, debian)
        assert find_folder([mirrors.url("good")], debian) == cache

    def test_the_data_set_called_fashion_mnist_is_read_from_there(self, files: dict[str, bytes], cache: Path) -> None:
        put(files, cache)
        source = open_published("fashion-mnist")
        assert len(source.train) == 120
        assert source.train.classes[0] == "T-shirt/top"
        assert source.train.classes[9] == "Ankle boot"


class TestWhatLiesThere:
    """MNIST's files have the same names, and whatever lies in the cache is looked at."""

    @pytest.mark.parametrize(
        "content", [gzip.compress(b"another"), b"not packed", b""], ids=["other", "plain", "empty"]
    )
    @pytest.mark.parametrize("place", ["cache", "debian"])
    def test_another_file_of_that_name_is_refused(
        self, files: dict[str, bytes], cache: Path, debian: Path, content: bytes, place: str
    ) -> None:
        folder = {"cache": cache, "debian": debian}[place]
        put(files | {NAMES[3]: content}, folder)
        with pytest.raises(DataError, match=rf"{NAMES[3]}: this is not a file of Fashion-MNIST"):
            find_folder([], debian)

    def test_a_file_is_looked_at_once(
        self, files: dict[str, bytes], cache: Path, debian: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(files, cache)
        find_folder([], debian)
        monkeypatch.setattr(verified, "_hash", lambda path: pytest.fail(f"{path} is read again"))
        assert find_folder([], debian) == cache

    def test_a_file_that_was_exchanged_is_looked_at_again(
        self, files: dict[str, bytes], cache: Path, debian: Path
    ) -> None:
        put(files, cache)
        find_folder([], debian)
        put({NAMES[0]: gzip.compress(b"another")}, cache)
        with pytest.raises(DataError, match=NAMES[0]):
            find_folder([], debian)


class TestDownload:
    def test_all_four_files_come_from_the_mirror(self, mirrors: Mirrors, cache: Path, debian: Path) -> None:
        assert find_folder([mirrors.url("good")], debian) == cache
        assert contents(cache) == mirrors.files
        assert mirrors.asked == [f"/good/{name}" for name in NAMES]

    def test_the_second_time_nothing_is_asked_for(self, mirrors: Mirrors, debian: Path) -> None:
        find_folder([mirrors.url("good")], debian)
        mirrors.asked.clear()
        find_folder([mirrors.url("good")], debian)
        assert mirrors.asked == []

    def test_the_same_content_compressed_in_another_way_is_the_right_file(
        self, mirrors: Mirrors, cache: Path, debian: Path
    ) -> None:
        find_folder([mirrors.url("compressed-otherwise")], debian)
        for name, content in contents(cache).items():
            assert gzip.decompress(content) == gzip.decompress(mirrors.files[name])

    @pytest.mark.parametrize(
        "bad",
        [
            "html",
            "empty",
            "truncated",
            "connection-lost",
            "damaged",
            "another-file",
            "slow",
            "no-http",
            "not-found",
        ],
    )
    def test_where_a_mirror_fails_the_next_one_is_asked(
        self, mirrors: Mirrors, cache: Path, debian: Path, monkeypatch: pytest.MonkeyPatch, bad: str
    ) -> None:
        monkeypatch.setattr(fashion_mnist, "TIMEOUT_SECONDS", 1)
        find_folder([mirrors.url(bad), mirrors.url("good")], debian)
        assert contents(cache) == mirrors.files
        assert mirrors.asked[:2] == [f"/{bad}/{NAMES[0]}", f"/good/{NAMES[0]}"]

    def test_a_mirror_that_never_stops_sending_is_stopped(
        self, mirrors: Mirrors, debian: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fashion_mnist, "LARGEST_DOWNLOAD", 10_000)
        find_folder([mirrors.url("without-end"), mirrors.url("good")], debian)
        mirrors.close()
        assert 0 < mirrors.sent_without_end < ENOUGH

    def test_where_nobody_listens_the_next_mirror_is_asked(self, mirrors: Mirrors, cache: Path, debian: Path) -> None:
        find_folder([closed_port(), mirrors.url("good")], debian)
        assert contents(cache) == mirrors.files


class TestWhenAllMirrorsFail:
    def test_each_is_named_with_what_was_wrong(self, mirrors: Mirrors, debian: Path) -> None:
        nobody = closed_port()
        with pytest.raises(DownloadError) as caught:
            find_folder([mirrors.url("html"), mirrors.url("another-file"), mirrors.url("not-found"), nobody], debian)
        message = str(caught.value)
        assert message.startswith(f"Fashion-MNIST is not on this machine and {NAMES[0]} could not be fetched")
        for mirror, problem in [
            (mirrors.url("html"), "Not a gzipped file"),
            (mirrors.url("another-file"), "another file than expected"),
            (mirrors.url("not-found"), "404"),
            (nobody, "refused"),
        ]:
            line = next(line for line in message.splitlines() if mirror in line)
            assert problem in line

    def test_it_is_said_what_to_do_by_hand(self, debian: Path, files: dict[str, bytes], cache: Path) -> None:
        with pytest.raises(DownloadError) as caught:
            find_folder([], debian)
        for help_by_hand in (*NAMES, f"into {cache}", "sudo apt-get install dataset-fashion-mnist"):
            assert help_by_hand in str(caught.value)

    def test_nothing_is_left_in_the_cache(self, mirrors: Mirrors, cache: Path, debian: Path) -> None:
        with pytest.raises(DownloadError):
            find_folder([mirrors.url("truncated"), mirrors.url("another-file")], debian)
        assert contents(cache) == {}

    def test_the_files_that_came_whole_are_kept_and_not_asked_for_again(
        self, mirrors: Mirrors, cache: Path, debian: Path
    ) -> None:
        with pytest.raises(DownloadError, match=NAMES[2]):
            find_folder([mirrors.url("first-two-only")], debian)
        assert contents(cache) == {name: mirrors.files[name] for name in NAMES[:2]}
        mirrors.asked.clear()
        find_folder([mirrors.url("good")], debian)
        assert mirrors.asked == [f"/good/{name}" for name in NAMES[2:]]
        assert contents(cache) == mirrors.files


def closed_port() -> str:
    """The address of a mirror at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/"
