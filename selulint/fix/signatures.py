"""Signatures of the frameworks as fixes need them; apart from the tree, so that rules load without LibCST."""

from __future__ import annotations


def parameters(signature: str) -> tuple[str, ...]:
    """The names of the parameters of a framework's signature that can be passed by position, in order."""
    names: list[str] = []
    depth = 0
    part = ""
    for character in signature + ",":
        depth += (character in "([{") - (character in ")]}")
        if character != "," or depth:
            part += character
            continue
        name = part.partition("=")[0].strip()
        part = ""
        if name.startswith("*"):
            break
        names += [name] if name else []
    return tuple(names)
