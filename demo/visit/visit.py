"""An application that takes its exit by name, and knows of no tunnel, device or route. It needs no privilege.

    visit.py NAME ADDRESS PORT          connect there by this exit ("": choose nothing) and ask who answers
    visit.py NAME listen ADDRESS PORT   take one connection by a listener that has chosen this exit

Then each line that it reads makes it say the status of its connection, and the end of its input that it ends.
"""
# ruff: noqa: T201

import socket
import sys

import teams  # teams.py of the bundle

STATES = {teams.NOTHING: "nothing chosen", teams.CHOSEN: "chosen", teams.GONE: "gone"}


def main(name: str, *rest: str) -> int:
    try:
        with listen(name, *rest[1:]) if rest[0] == "listen" else connect(name, *rest) as sock:
            for _ in sys.stdin:
                now = teams.status(sock)
                how = f"{STATES[now.state]} {now.name}".strip()
                print(f"status: {how}, {now.packets} packets, {now.overhead} bytes added, MSS {now.mss}", flush=True)
    except OSError as error:
        print(f"refused: errno {error.errno} ({error.strerror})", flush=True)
        return 1
    return 0


def connect(name: str, address: str, port: str) -> socket.socket:
    there = (address, int(port))
    sock = teams.create_connection(there, name, timeout=5) if name else socket.create_connection(there, timeout=5)
    sock.sendall(b"who?")
    print(f"answered by {sock.recv(64).decode()}", flush=True)
    return sock


def listen(name: str, address: str, port: str) -> socket.socket:
    with teams.socket(name) as listener:
        listener.bind((address, int(port)))
        listener.listen()
        listener.settimeout(5)
        print("listening", flush=True)
        accepted, (peer, _) = listener.accept()  # it has the listener's choice
    accepted.sendall(b"welcome")
    print(f"accepted {peer}", flush=True)
    return accepted


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
