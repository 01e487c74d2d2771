"""A transfer by QUIC, with aioquic on both sides: a sender of UDP that has sizes of its own."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import random
import ssl
import threading
from dataclasses import dataclass

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .traffic import Host

PORT = 7443
ALPN = ["encap-test"]


@dataclass(frozen=True)
class Transferred:
    """The hashes of what was sent and of what the other side says has arrived, both ways; empty where nothing did."""

    there: tuple[str, str]
    back: tuple[str, str]
    problem: str = ""

    def __bool__(self) -> bool:
        return not self.problem and self.there[0] == self.there[1] and self.back[0] == self.back[1]


def transfer(source: Host, destination: Host, datagram: int, size: int = 500_000, timeout: float = 20) -> Transferred:
    """Send `size` bytes each way over one stream, in UDP payloads of at most `datagram` bytes.

    The route to the destination has to name the source: aioquic binds to no address.
    """
    up, down = random.Random(1).randbytes(size), random.Random(2).randbytes(size)
    ready, done, arrived = threading.Event(), threading.Event(), {"up": b"", "down": b""}
    problems: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived["up"] = await reader.read()
        writer.write(down)
        writer.write_eof()

    def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.get_running_loop().create_task(answer(reader, writer)))

    tasks: list[asyncio.Task[None]] = []

    async def server() -> None:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=ALPN, max_datagram_size=datagram)
        configuration.certificate, configuration.private_key = _certificate()
        listening = await serve(destination.address, PORT, configuration=configuration, stream_handler=handle)
        ready.set()
        await asyncio.to_thread(done.wait, timeout + 5)
        listening.close()

    async def client() -> None:
        configuration = QuicConfiguration(alpn_protocols=ALPN, verify_mode=ssl.CERT_NONE, max_datagram_size=datagram)
        async with connect(
            destination.address,
            PORT,
            configuration=configuration,
            create_protocol=QuicConnectionProtocol,
        ) as connection:
            reader, writer = await connection.create_stream()
            writer.write(up)
            writer.write_eof()
            arrived["down"] = await reader.read()

    def run_server() -> None:
        with destination.namespace.entered():
            asyncio.run(server())

    thread = threading.Thread(target=run_server)
    thread.start()
    try:
        ready.wait(5)
        with source.namespace.entered():
            asyncio.run(asyncio.wait_for(client(), timeout))
    except (OSError, TimeoutError, ConnectionError) as error:
        problems.append(repr(error))
    finally:
        done.set()
        thread.join()

    def pair(sent: bytes, got: bytes) -> tuple[str, str]:
        return hashlib.sha256(sent).hexdigest(), hashlib.sha256(got).hexdigest()

    return Transferred(pair(up, arrived["up"]), pair(down, arrived["down"]), "; ".join(problems))


def _certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "far.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made, key
