"""What a fix leaves alone stays as it was, byte for byte; a file that Black has formatted stays so where that can be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixture_files import fixtures, is_spliced

from selulint.run import lint_bytes
from selulint.settings import Settings

black = pytest.importorskip("black")
FIX = Settings(fix=True, unsafe_fixes=True)
MODE = black.Mode(line_length=88)
# Of the fixtures: the rest has calls in the middle of larger expressions that grow, or names too long for any line.
STAYS_BLACK = 0.93


def stays_black(path: str, text: str) -> bool | None:
    """Whether a text that Black has formatted is still so after all fixes; None where there is nothing to fix."""
    result = lint_bytes(path, black.format_str(text, mode=MODE).encode(), FIX)
    if result.after is None:
        return None
    after = result.after.decode()
    return bool(black.format_str(after, mode=MODE) == after)


def _texts() -> Iterator[tuple[str, str]]:
    for each in fixtures():
        yield each.path.name, each.text


def test_only_the_announced_edits_are_made() -> None:
    results = [(name, lint_bytes(name, text.encode(), FIX)) for name, text in _texts()]
    changed = [(name, each) for name, each in results if each.after is not None]
    assert len(changed) > 100
    assert [name for name, each in changed if not is_spliced(name, each)] == []


def test_black_files_stay_black(capsys: pytest.CaptureFixture[str]) -> None:
    found = {name: state for name, text in _texts() if (state := stays_black(name, text)) is not None}
    share = sum(found.values()) / len(found)
    with capsys.disabled():
        print(f"\n{share:.0%} of {len(found)} fixtures that Black has formatted stay so")
    assert len(found) > 100 and share >= STAYS_BLACK, [name for name, state in found.items() if not state]


GROWN = {
    "one line": ("x = Dense(64, activation='relu', name='a_rather_long_name_of_the_first_layer')(inputs)", ")(inputs)"),
    "the only argument": (
        "model.add(Dense(64, activation='relu', name='a_rather_long_name_of_a_layer'))",
        "\n    Dense(",
    ),
    "fits": ("x = Dense(64, activation='relu')(inputs)", "x = Dense(64, activation='selu', kernel_initializer="),
}


@pytest.mark.parametrize("name", GROWN)
def test_calls_that_grow_are_broken_as_black_breaks_them(name: str) -> None:
    call, expected = GROWN[name]
    lines = ["inputs = Input((32,))", call, "outputs = Dense(1)(x)"]
    if name == "the only argument":
        lines = ["model = Sequential()", call, "model.add(Dense(1))"]
    head = "from keras.layers import Dense, Input\nfrom keras.models import Sequential\n\n"
    text = black.format_str(head + "\n".join(lines) + "\n", mode=MODE)
    after = lint_bytes("net.py", text.encode(), FIX).after
    assert after is not None and expected in after.decode().replace('"', "'")
    assert black.format_str(after.decode(), mode=MODE) == after.decode()


UNFORMATTED = {
    "single quotes": "x = Dense(64, activation='relu', name='a_rather_long_name_of_a_layer')(inputs)",
    "hanging arguments": 'x = Dense(64, activation="relu",\n          name="a_rather_long_name_of_the_layer")(inputs)',
    "long lines": 'x = Dense(64, activation="relu", name="first")(inputs)\n'
    'y = Dense(64, activation="relu", name="second", use_bias=True, trainable=True, dtype="float32", '
    'bias_initializer="zeros", bias_regularizer=None)(x)',
}


@pytest.mark.parametrize("name", UNFORMATTED)
def test_files_that_no_formatter_wrote_keep_their_line_breaks(name: str) -> None:
    head = "from keras.layers import Dense, Input\n\ninputs = Input((32,))\n"
    text = f"{head}{UNFORMATTED[name]}\noutputs = Dense(1)({'y' if 'y =' in UNFORMATTED[name] else 'x'})\n"
    after = lint_bytes("net.py", text.encode(), FIX).after
    assert after is not None and b"lecun_normal" in after
    assert b"(\n" not in after


def test_newlines_make_no_difference() -> None:
    for name, text in _texts():
        formatted = black.format_str(text, mode=MODE)
        one = lint_bytes(name, formatted.encode(), FIX).after
        other = lint_bytes(name, formatted.replace("\n", "\r\n").encode(), FIX).after
        assert other == (None if one is None else one.replace(b"\n", b"\r\n")), name
