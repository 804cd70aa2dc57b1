"""From a configuration to what a gateway starts with: what a worker would find too late is found here."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from support.gateway import deployment, provider
from twintrack.errors import ConfigError
from twintrack.gateway.open import dialing, read_snapshot


def written(folder: Path, url: str, server: str = "") -> Path:
    file = folder / "twintrack.toml"
    file.write_text(f"[server]\n{server}\n" + provider("p", url) + deployment("m", "p"))
    return file


def test_without_tls_none_is_set_up(tmp_path: Path) -> None:
    assert dialing(read_snapshot(written(tmp_path, "http://127.0.0.1:9/v1"))).tls is None


def test_own_authorities_are_added(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    how = dialing(read_snapshot(written(tmp_path, "https://llm.example/v1", 'ca = "ca.crt"')))
    assert how.tls is not None
    assert len(how.tls.get_ca_certs()) > 0


def test_a_file_that_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(ConfigError, match=r"certificate authorities in .*ca\.crt cannot be read"):
        read_snapshot(written(tmp_path, "https://llm.example/v1", 'ca = "ca.crt"'))


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "socks5://proxy:1080", "https://proxy:3128", "http://", "http://p:99999"]
)
def test_a_proxy_we_cannot_speak_to_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError) as refused:
        read_snapshot(written(tmp_path, "https://llm.example/v1"))
    assert str(refused.value).startswith("The proxy's address is not http://HOST:PORT: it comes from HTTPS_PROXY.")
    # Where no provider needs one it does not matter.
    assert dialing(read_snapshot(written(tmp_path, "http://127.0.0.1:9/v1"))).tls is None


def test_the_proxy_and_its_exceptions_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:p%40ss@proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost, .internal ,")
    how = dialing(read_snapshot(written(tmp_path, "https://llm.example/v1")))
    assert (how.proxy, how.no_proxy) == ("http://me:p%40ss@proxy:3128", ("localhost", ".internal"))
    assert dialing(read_snapshot(written(tmp_path, "https://llm.example/v1", 'proxy = ""'))).proxy == ""
