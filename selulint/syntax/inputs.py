"""How a file scales its data, told from its tokens: images in [0, 1] that nothing standardises."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Sequence

from selulint.diagnostic import Span
from selulint.source import Source

_HINTS = ("255", "256", "ToTensor")
_LARGEST = frozenset({"255", "255.", "255.0", "256", "256.", "256.0"})
# Any of these names shows that somebody thought of the statistics; then nothing is claimed.
_STANDARDISING = re.compile(
    r"(?i)(?:batch_?|layer_?|per_?image_?)?(?:normali[sz]|standardi[sz]|standard_?scal|whiten|z_?score|zca)|"
    r"^(?:mean|std|stdev|stddev|sigma|mu|moments|preprocess_input|featurewise_\w+|samplewise_\w+|RobustScaler|"
    r"QuantileTransformer|PowerTransformer|get_transforms?|create_transform)$|_(?:mean|std|mu|sigma)$|^(?:mean|std|mu|sigma)_"
)
# Layers inside a model; one that standardises the model's input is seen in the graph.
_LAYERS = re.compile(
    r"(?:Batch|Layer|Group|Instance|Unit|Spectral|Weight|RMS)Normalization(?:V\d)?(?:[123]D)?$|"
    r"^(?:batch|layer|group|instance|unit|spectral|weight|rms)_normali[sz]ation$"
)
# Names of arrays of data; what else is divided by 255 may be a colour or a mask.
_DATA = re.compile(
    r"(?i)^(?:(?:x|y)_?(?:train|test|val|valid|dev|tr|te|full)\w*|(?:train|test|val|valid)_?(?:x|data|images?|set|inputs?|"
    r"features|full)|images?|imgs?|x|data|inputs?|pixels|frames?)$"
)
_TARGET = re.compile(r"(?i)^y_?|label|mask|target")
_FEEDING = frozenset({"fit", "fit_generator", "train_on_batch", "DataLoader", "TensorDataset", "from_tensor_slices"})


def rescaled(source: Source) -> tuple[Span, ...]:
    """Where the file brings data into [0, 1] outside of models; () where anything in it standardises data.

    These are divisions of data by 255 in a file that feeds arrays to a model, `rescale=1/255` of a generator, and
    `ToTensor()` without a `Normalize`.
    """
    if not any(hint in source.text for hint in _HINTS):
        return ()
    tokens = _tokens(source)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    switched_off = _switched_off(tokens)
    if any(_STANDARDISING.search(name) and not _LAYERS.search(name) for name in names - switched_off):
        return ()
    found = [*_to_tensors(source, tokens)]
    if names & _FEEDING:
        found += _divisions(source, tokens)
    return tuple(sorted(set(found)))


def _switched_off(tokens: Sequence[tokenize.TokenInfo]) -> set[str]:
    """Names that the file has only as arguments that are False: `featurewise_std_normalization=False`."""
    off, used = set[str](), set[str]()
    for number, token in enumerate(tokens):
        if token.type == tokenize.NAME:
            is_off = [each.string for each in tokens[number + 1 : number + 3]] == ["=", "False"]
            (off if is_off else used).add(token.string)
    return off - used


def _tokens(source: Source) -> list[tokenize.TokenInfo]:
    ignored = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
    try:
        read = io.StringIO(source.text).readline
        return [token for token in tokenize.generate_tokens(read) if token.type not in ignored]
    except (tokenize.TokenError, SyntaxError):
        return []


def _span(source: Source, first: tokenize.TokenInfo, last: tokenize.TokenInfo) -> Span:
    starts = source.line_starts
    return Span(starts[first.start[0] - 1] + first.start[1], starts[last.end[0] - 1] + last.end[1])


def _to_tensors(source: Source, tokens: Sequence[tokenize.TokenInfo]) -> list[Span]:
    found = []
    for number, token in enumerate(tokens[:-2]):
        if token.string == "ToTensor" and [each.string for each in tokens[number + 1 : number + 3]] == ["(", ")"]:
            first = number
            while first >= 2 and tokens[first - 1].string == "." and tokens[first - 2].type == tokenize.NAME:
                first -= 2
            found.append(_span(source, tokens[first], tokens[number + 2]))
    return found


def _divisions(source: Source, tokens: Sequence[tokenize.TokenInfo]) -> list[Span]:
    found = []
    start = 0
    for number, token in enumerate(tokens):
        if token.type == tokenize.NEWLINE:
            start = number + 1
        if token.string not in ("/", "/=") or number + 1 >= len(tokens) or tokens[number + 1].string not in _LARGEST:
            continue
        if _is_centred(tokens, number + 2):
            return []  # one of them goes to [-1, 1]: this file's scaling is not so simple
        first = _operand(tokens, number, start)
        operand = tokens[first:number]
        if tokens[number - 1].type == tokenize.NUMBER:
            # `ImageDataGenerator(rescale=1. / 255)`
            is_data = [each.string for each in tokens[max(0, number - 3) : number - 1]] == ["rescale", "="]
        else:
            words = [each.string for each in operand if each.type == tokenize.NAME]
            is_data = bool(words) and _DATA.match(words[0]) is not None and not any(map(_TARGET.search, words))
        if is_data:
            found.append(_span(source, tokens[first], tokens[number + 1]))
    return found


def _is_centred(tokens: Sequence[tokenize.TokenInfo], number: int) -> bool:
    """Whether something is subtracted from the quotient, or it is multiplied up again."""
    while number < len(tokens) and tokens[number].string == ")":
        number += 1
    return number < len(tokens) and tokens[number].string in ("-", "*", "+")


def _operand(tokens: Sequence[tokenize.TokenInfo], number: int, start: int) -> int:
    """The first token of the operand that ends before a number of a token: names, attributes, calls, subscripts."""
    position, depth = number - 1, 0
    first = position
    while position >= start:
        text = tokens[position].string
        if text in (")", "]"):
            depth += 1
        elif text in ("(", "["):
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and text != "." and tokens[position].type not in (tokenize.NAME, tokenize.NUMBER):
            break
        first = position
        position -= 1
    return first
