"""Who may connect to a policy server."""

from __future__ import annotations

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from burnish.contract import STATE
from burnish.errors import BurnishError, CorruptFileError, ServerError
from burnish.real.server.access import check_address, read_token
from burnish.real.server.client import RemotePolicy

TOKEN = "open-sesame"


@pytest.fixture
def guarded(serving, written):
    with serving(written(lambda _: 1), token=TOKEN) as address:
        yield address


def test_the_token_opens_and_nothing_else_does(guarded):
    with RemotePolicy(guarded, TOKEN) as remote:
        assert remote.plan({STATE: np.zeros(6)}).shape == (3, 4)
    with pytest.raises(ServerError, match="the token is not the server's"):
        RemotePolicy(guarded, TOKEN + "x")
    with pytest.raises(ServerError, match="wants a token"):
        RemotePolicy(guarded)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"Bearer {TOKEN}"], 101),
        ([f"bearer {TOKEN}"], 101),
        ([f"Basic {TOKEN}"], 401),
        ([TOKEN], 401),
        ([f"Api-Key {TOKEN[:-1]}"], 401),
        ([f"Api-Key {TOKEN}", f"Api-Key {TOKEN}"], 401),
        (["Api-Key \u00e9"], 401),
    ],
)
def test_every_other_header_is_refused(guarded, lines, status):
    headers = [("Authorization", line) for line in lines]
    if status == 101:
        connect(f"ws://{guarded}", additional_headers=headers, proxy=None).close()
        return
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{guarded}", additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == status


def test_the_numbers_want_the_token_too_and_health_does_not(guarded, get):
    assert get(guarded, "/healthz")[0] == 200
    assert get(guarded, "/metrics")[0] == 401
    status, text = get(guarded, "/metrics", Authorization=f"Api-Key {TOKEN}")
    assert status == 200
    assert 'burnish_refused_total{reason="token"} 1\n' in text


def test_a_page_in_a_browser_is_refused(serving, written):
    with serving(written(lambda _: 1)) as address, pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://{address}", origin="https://example.org", proxy=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_strangers_need_a_token(host, serving, written):
    with pytest.raises(BurnishError, match="there is no token"), serving(written(lambda _: 1), host=host):
        pass
    check_address(host, TOKEN)


def test_this_computer_needs_none():
    for host in ("127.0.0.1", "127.0.0.2", "localhost"):
        check_address(host, None)
    with pytest.raises(BurnishError, match="--host no such host"):
        check_address("no such host", TOKEN)


def test_where_the_token_comes_from(tmp_path, monkeypatch):
    monkeypatch.delenv("BURNISH_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("BURNISH_TOKEN", "from-outside")
    assert read_token(None) == "from-outside"
    path = tmp_path / "token"
    with pytest.raises(CorruptFileError, match=str(path)):
        read_token(path)
    path.write_text("in-the-file\n")
    assert read_token(path) == "in-the-file"
    for wrong in ("\n", "two words", "tökén"):
        path.write_text(wrong)
        with pytest.raises(BurnishError, match=f"{path}: not a token"):
            read_token(path)
