"""TOML and JSON at their extremes: nesting, integers of thousands of digits, surrogates, control characters, dates."""

from __future__ import annotations

import json
import random
from typing import Any

_LONG = 6000
TOML_VALUES = (
    "[" * _LONG, "[" * 150 + "]" * 150, "{a=" * _LONG, "9" * _LONG, "-" + "9" * 25, "0x" + "f" * _LONG,
    "1e" + "9" * 400,
    "1_000_000_000", "1979-05-27T07:32:00Z", "07:32:00", "inf", "-nan", '"\\u001b[31m"', '"\\u202e"', '"\\U0010ffff"',
    '"\\ud800"', "'" + "x" * _LONG + "'", '"""' + "\\\n" * 50, "true", "{}", "[]", "[[]]", "[1, 'a', {}]", "1e300",
    "-1",
    "9223372036854775807", "9223372036854775808", "100000", "1000000000", "0", '""', "{value = 1e30}",
)  # fmt: skip
_KEYS = ("a" + ".a" * _LONG, '"\\u001b"', '""', "\u00e9", '"a\\nb"', "extends", "kind")
_JSON_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 7, 2**31, 2**63 - 1, 2**63, 10**25, 0.5, 1e300, float("nan"), float("inf"), "", "\ud800",
    "\x1b[31m", "\u202e", "x" * _LONG, [], {}, [[]], [0] * 200, {"": {}}, [[0, 7, 0]] * 3,
)  # fmt: skip
_JSON_TEXTS = ("9" * _LONG, "[" * _LONG, '{"a":' * _LONG, '"\\ud800"', "NaN", "1e999", "-", "\x00", '"\\u001b"')


def mutate_toml(seed: bytes, _: list[bytes], rng: random.Random) -> bytes:
    """Values, keys and tables replaced by extreme ones."""
    lines = seed.decode().split("\n")
    for _number in range(rng.choice((1, 1, 2, 3))):
        place = rng.choice([n for n, line in enumerate(lines) if line.strip()] or [0])
        key, equals, _value = lines[place].partition("=")
        kind = rng.randrange(8)
        if equals and kind < 5:
            lines[place] = f"{key}= {rng.choice(TOML_VALUES)}"
        elif kind == 5:
            lines.insert(place, f"{rng.choice(_KEYS)} = {rng.choice(TOML_VALUES)}")
        elif kind == 6:
            lines.insert(place, f"[{rng.choice((*_KEYS, 'limits.mesh_columns', 'network', '[layers]'))}]")
        else:
            lines[place] = key + equals + _value.replace("1", rng.choice(("1" * 30, "100000", "-1", "1.5")))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def mutate_json(seed: bytes, _: list[bytes], rng: random.Random) -> bytes:
    """Values replaced, dropped or doubled, in the structure or in the text."""
    content = json.loads(seed)
    for _number in range(rng.choice((1, 1, 2, 3))):
        _change(content, rng)
    text = json.dumps(content, ensure_ascii=rng.random() < 0.8)
    if rng.random() < 0.3:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(_JSON_TEXTS) + text[place + rng.choice((0, 1, 5)) :]
    return text.encode("utf-8", "surrogatepass")


def _change(values: Any, rng: random.Random) -> None:
    while True:
        places = list(values) if isinstance(values, dict) else list(range(len(values)))
        if not places:
            return
        place = rng.choice(places)
        if isinstance(values[place], (dict, list)) and values[place] and rng.random() < 0.85:
            values = values[place]
            continue
        kind = rng.randrange(5)
        if kind == 0:
            del values[place]
        elif kind == 1 and isinstance(values, dict):
            values[rng.choice(("x", "\x1b[31m", "", "\ud800"))] = values[place]
        elif kind == 1:
            values.append(values[place])
        else:
            values[place] = rng.choice(_JSON_VALUES)
        return
