"""Who may connect: anyone on this computer, or whoever knows the token."""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
from pathlib import Path

from websockets.datastructures import Headers

from burnish.errors import BurnishError, CorruptFileError

VARIABLE = "BURNISH_TOKEN"
SCHEMES = ("api-key", "bearer")
"""The first is what openpi's client sends."""


def read_token(path: Path | None) -> str | None:
    """The token in the file `path`, or else in the environment; None where there is neither.

    Raises `CorruptFileError` that names a file that cannot be read, `BurnishError` for a token no header can carry.
    """
    source = VARIABLE if path is None else str(path)
    try:
        token = os.environ.get(VARIABLE) if path is None else path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"--token-file {path}: {error}") from error
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise BurnishError(f"{source}: not a token; it wants printable ASCII letters without spaces, at least one")
    return token


def check_address(host: str, token: str | None) -> None:
    """Raise `BurnishError` if others could reach `host` and there is no token, or it is no address."""
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BurnishError(f"--host {host}: {error.strerror}; name an address of this computer") from error
    outside = [str(address[0]) for *_, address in found if not ipaddress.ip_address(address[0]).is_loopback]
    if outside and token is None:
        raise BurnishError(
            f"--host {host}: {outside[0]} can be reached by other computers, and there is no token; give one by "
            f"--token-file FILE or {VARIABLE}, or serve on 127.0.0.1"
        )


def allowed(headers: Headers, token: str | None) -> bool:
    """Whether a request's one `Authorization` header carries `token`, compared in constant time; None allows all."""
    if token is None:
        return True
    given = headers.get_all("Authorization")
    scheme, _, secret = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    secret_bytes = secret.strip().encode(errors="surrogateescape")  # the bytes as they came, whatever they are
    return hmac.compare_digest(secret_bytes, token.encode()) and scheme.lower() in SCHEMES
