"""What goes into a SELU by the gains in force, where its layers reach it through sums, factors and other layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from selulint.graph import WEIGHTED_SUMS, Kind, Model, Op, factor_of
from selulint.moments.maps import SANE_WINDOW
from selulint.operations import MOVING

_NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"})


@dataclass(frozen=True, slots=True)
class Share:
    """The variance of a tensor in front of an activation, where inputs, SELUs and what norms leave have variance 1.

    `repaired` is what it would be with gain 1 in every layer that keeps its default; `layers` are those, by index.
    """

    written: float = 1.0
    repaired: float = 1.0
    layers: frozenset[int] = frozenset()


_UNIT = Share()


def shares(model: Model, terms: Mapping[int, int] | None = None) -> list[Share | None]:
    """For every op its share, None where that is not known. `terms` are the sums that count as scaled, and of how many."""
    found: list[Share | None] = []
    for op in model.ops:
        before = [found[index] for index in op.inputs]
        known = [each for each in before if each is not None]
        share = _UNIT if op.kind is Kind.NORM and op.function in _NORMS else None
        if share is None and len(known) == len(before):
            share = _share(op, known)
        if share is not None and terms and op.index in terms:
            share = _times(share, 1 / terms[op.index])
        found.append(share)
    return found


def _share(op: Op, before: list[Share]) -> Share | None:
    one = before[0] if len(before) == 1 else None
    match op.kind:
        case Kind.INPUT if not op.args.get("unknown"):
            return _UNIT
        case Kind.ACTIVATION if op.function == "selu" and not op.rivals:
            return _UNIT
        case Kind.DROPOUT:
            return one
        case Kind.RESHAPE if op.function in MOVING:
            return one
        case Kind.POOL | Kind.MERGE if all(each == _UNIT for each in before) and op.function != "add":
            return _UNIT if op.kind is Kind.POOL or op.function == "concat" else None
        case Kind.SCALE if one is not None:
            factor = factor_of(op)
            return _times(one, factor * factor) if factor is not None else None
        case Kind.MERGE if op.function == "add" and op.args.get("alpha", 1) == 1 and len(before) > 1:
            layers = frozenset[int]().union(*(each.layers for each in before))
            return Share(sum(each.written for each in before), sum(each.repaired for each in before), layers)
        case Kind.PARAMETRIC if one is not None and op.function in WEIGHTED_SUMS and not op.constraints:
            return _behind(op, one)
    return None


def _behind(op: Op, before: Share) -> Share | None:
    init = op.weight
    if init is None or init.gain is None or init.gain <= 0.0:
        return None
    if not init.default:
        return Share(before.written * init.gain, before.repaired * init.gain, before.layers)
    return Share(before.written * init.gain, before.repaired, before.layers | {op.index})


def _times(share: Share, factor: float) -> Share:
    return Share(share.written * factor, share.repaired * factor, share.layers)


def _is_same_way(share: Share, other: Share | None) -> bool:
    return other is not None and (share.written < 1.0) is (other.written < 1.0)


def default_layers(model: Model, terms: Mapping[int, int]) -> dict[int, Op]:
    """The layers that keep their default and thereby drive what goes into a SELU out of range, each with that SELU."""
    found: dict[int, Op] = {}
    known, plain = shares(model, terms), shares(model)
    for selu in model.of(Kind.ACTIVATION, "selu"):
        share = known[selu.inputs[0]] if len(selu.inputs) == 1 and not selu.rivals else None
        # A sum that is too loud as it is does not need louder layers, but its factor.
        if share is None or not _is_same_way(share, plain[selu.inputs[0]]):
            continue
        if SANE_WINDOW[0] <= share.written <= SANE_WINDOW[1] or share.repaired <= 0.0:
            continue
        if abs(math.log(share.repaired)) < abs(math.log(share.written)):
            found.update((index, selu) for index in sorted(share.layers) if index not in found)
    return found
