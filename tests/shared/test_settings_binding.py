"""The addresses to listen on, and which of them are loopback."""

from pathlib import Path

import pytest

from shared.settings import load


def test_both_loopbacks_are_listened_on_unless_an_address_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env
    monkeypatch.delenv("FREEAICHAT_HOST", raising=False)
    assert load().hosts == ("127.0.0.1", "::1")
    assert load(host="LOCALHOST").hosts == ("127.0.0.1", "::1")
    for address in ("127.0.0.1", "::1", "0.0.0.0"):
        monkeypatch.setenv("FREEAICHAT_HOST", address)
        assert load().hosts == (address,)


@pytest.mark.parametrize(("written", "address"), [("[::1]", "::1"), (" [::] ", "::"), (" 127.0.0.1 ", "127.0.0.1")])
def test_an_address_may_be_written_as_in_a_url(monkeypatch: pytest.MonkeyPatch, written: str, address: str) -> None:
    monkeypatch.setenv("FREEAICHAT_HOST", written)

    assert load().hosts == (address,)


LOOPBACK_BINDS = {
    **dict.fromkeys(("127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"), True),
    **dict.fromkeys(("0.0.0.0", "::", "", "192.168.1.2", "localhost.example"), False),
}


@pytest.mark.parametrize(("host", "is_loopback"), LOOPBACK_BINDS.items())
def test_only_addresses_of_this_machine_are_a_loopback_bind(host: str, is_loopback: bool) -> None:
    assert load(host=host).is_loopback_bind is is_loopback
