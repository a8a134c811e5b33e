"""Command line words to a frozen config: the name first, then every field is a flag."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tyro
from tyro.conf import Fixed

from burnish.errors import BurnishError
from burnish.registry import unknown


def take_name(words: list[str], prog: str, kind: str, known: Iterable[str] = ()) -> tuple[str, list[str]]:
    """The first word, which names a thing of `kind`, and the words after it.

    With `known` names, an unknown one is answered with the closest match. Without a name but with `--help`,
    prints what the name can be and ends.
    """
    names = list(known)
    choice = f" ({', '.join(names)})" if names else ""
    if words and words[0] in ("-h", "--help"):
        if not names:
            return kind.upper(), words
        print(f"usage: {prog} {kind.upper()} [OPTIONS]\n\nFirst the {kind}{choice}, then its settings:")
        print(f"`{prog} {names[0]} --help` lists them.")
        raise SystemExit(0)
    if not words or words[0].startswith("-"):
        raise BurnishError(f"`{prog}` needs the {kind} as its first word{choice}: {prog} {kind.upper()} [OPTIONS]")
    if names and words[0] not in names:
        raise unknown(kind, words[0], names)
    return words[0], words[1:]


def parse[T](config_type: type[T], words: list[str], *, prog: str, **given: Any) -> T:
    """A `config_type` from `words`; `given` fields are set beforehand, and still are flags unless they are fixed.

    Raises `UnknownNameError` with the closest flag; other mistakes are explained on standard error, exit status 2.
    """
    default = config_type(**(_blank(config_type) | given))
    check_flags(words, default, prog)
    description = (config_type.__doc__ or "").strip()
    return tyro.cli(config_type, prog=prog, description=description, default=default, args=words)


def check_flags(words: list[str], config: Any, prog: str) -> None:
    """Raise `UnknownNameError` for the first flag in `words` that no field of `config` (a dataclass) carries."""
    known = {"--help", *flags(config)}
    for word in words:
        flag = word.partition("=")[0].replace("_", "-")
        if flag.startswith("--") and flag not in known:
            same_end = sorted(name for name in known if name.rpartition(".")[2] == flag[2:])
            raise unknown(f"flag of `{prog}`", flag, same_end or known)


def flags(config: Any, prefix: str = "--") -> Iterator[str]:
    """Every flag that `tyro` makes of a dataclass instance."""
    for name, value in _entries(config):
        flag = prefix + name.replace("_", "-")
        if dataclasses.is_dataclass(value) or (isinstance(value, Mapping) and value):
            yield from flags(value, f"{flag}.")
        else:
            yield flag
            if isinstance(value, bool):
                yield f"{prefix}no-{name}".replace("_", "-")


def _entries(config: Any) -> list[tuple[str, Any]]:
    if isinstance(config, Mapping):
        return list(config.items())
    hints = typing.get_type_hints(type(config), include_extras=True)
    free = [f.name for f in dataclasses.fields(config) if Fixed not in getattr(hints[f.name], "__metadata__", ())]
    return [(name, getattr(config, name)) for name in free]


def _blank(config_type: type[Any]) -> dict[str, Any]:
    """`MISSING` for every field without a default: tyro asks the user for those."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(config_type)
    return {f.name: tyro.MISSING for f in fields if f.default is missing and f.default_factory is missing}
