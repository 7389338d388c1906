"""A service that was told which authority signs NATS's certificate speaks to no other server, and not in the clear."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import nats
import nats.errors
import pytest
import trustme

from broadcast_api.settings import read_settings
from broadcast_telegram.service import Service
from broadcast_telegram.settings import WorkerSettings, load
from dispatcher.app import SENDING
from tests.support.nats import running_server

Connects = Callable[[], Awaitable[None]]
PATIENCE_SECONDS = 2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that speaks TLS only."""
    folder, issued = tmp_path_factory.mktemp("tls"), authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    file = f'"{folder}/server.pem"'
    (folder / "nats.conf").write_text(f"tls {{ cert_file: {file}, key_file: {file}, handshake_first: auto }}")
    with running_server("--config", str(folder / "nats.conf")) as server:
        yield f"tls://127.0.0.1:{server.port}"


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[trustme.CA, str], None]:
    """Tell every service, as its environment would, whom it may trust and where NATS is."""

    def tell(authority: trustme.CA, url: str) -> None:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("BROADCAST_NATS_CA_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("BROADCAST_NATS_URL", url)
        monkeypatch.setenv("BROADCAST_ACCOUNTS", '{"main": {"token": "42:x"}}')

    return tell


async def the_api() -> None:
    client = await nats.connect(**read_settings().nats_options(), allow_reconnect=False, error_cb=_ignore)
    assert client.is_connected
    await client.close()


async def a_worker() -> None:
    broker = Service(SENDING, load(WorkerSettings)).broker
    try:
        await asyncio.wait_for(broker.connect(), PATIENCE_SECONDS)  # it would try for ever
        assert await broker.ping(1)
    finally:
        await broker.stop()


@pytest.mark.parametrize("connects", [the_api, a_worker])
async def test_a_server_that_the_authority_vouches_for_is_spoken_to(
    connects: Connects, authority: trustme.CA, server: str, trusting: Callable[[trustme.CA, str], None]
) -> None:
    trusting(authority, server)
    await connects()


REFUSALS = (ssl.SSLError, nats.errors.Error, OSError, TimeoutError)


@pytest.mark.parametrize("connects", [the_api, a_worker])
async def test_a_server_whom_another_authority_vouches_for_is_refused(
    connects: Connects, server: str, trusting: Callable[[trustme.CA, str], None]
) -> None:
    trusting(trustme.CA(), server)
    with pytest.raises(REFUSALS):
        await connects()


@pytest.mark.parametrize("connects", [the_api, a_worker])
async def test_a_server_that_speaks_in_the_clear_is_refused(
    connects: Connects, authority: trustme.CA, trusting: Callable[[trustme.CA, str], None], single: list[str]
) -> None:
    trusting(authority, single[0].replace("nats://", "tls://"))
    with pytest.raises(REFUSALS):
        await connects()


async def _ignore(error: Exception) -> None:
    """The refusal is what is asked for."""
