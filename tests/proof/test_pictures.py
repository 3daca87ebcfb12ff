from __future__ import annotations

import html
import re
import sys
from typing import Any

import pytest

from llm_banking.proof.pictures import PICTURES, WIDTH_IN, PictureError, draw_all
from tests.proof.made_up import made_up_results

mpl = pytest.importorskip("matplotlib", reason="matplotlib belongs to the extra `train`")


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    return draw_all(made_up_results())


def words(svg: str) -> str:
    """All the text that a picture shows."""
    return " ".join(html.unescape(one) for one in re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_every_picture_is_drawn_and_small(pictures: dict[str, str]) -> None:
    assert set(pictures) == set(PICTURES)
    for svg in pictures.values():
        assert f'width="{WIDTH_IN * 72:g}pt"' in svg
        assert svg.rstrip().endswith("</svg>")
        assert len(svg) < 60_000


def test_the_same_figures_give_the_same_bytes_whatever_the_settings(pictures: dict[str, str]) -> None:
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "another", "lines.linewidth": 9}):
        again = draw_all(made_up_results())
    assert again == pictures
    assert not any(re.search(r"<dc:date>|\b20\d\d-\d\d-\d\d|Matplotlib v", svg) for svg in pictures.values())
    changed = made_up_results()
    changed["speed"]["read_ms"]["p50"] += 0.1
    assert draw_all(changed)["latency.svg"] != pictures["latency.svg"]


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("reliability.svg", ("confidence (%)", "right (%)", "texts (number)", "ECE 0.0123")),
        ("risk-coverage.svg", ("texts answered, surest first (%)", "wrong among the answered (%)", "as shipped: ")),
        ("confusions.svg", ("texts read wrongly (number", "intent meant")),
        ("latency.svg", ("(ms)", "texts (number)", "p50 ", "p95 ", "p99 ")),
        ("operational.svg", ("read right (%)", "intent (texts)")),
        ("robustness.svg", ("accuracy lost (percentage points)", "perturbation", "typos: 1 in 10 words")),
    ],
)
def test_the_axes_say_what_they_show_with_units(pictures: dict[str, str], name: str, axes: tuple[str, ...]) -> None:
    shown = words(pictures[name])
    for one in axes:
        assert one in shown


def test_text_is_legible_and_colours_are_few(pictures: dict[str, str]) -> None:
    for svg in pictures.values():
        sizes = [float(one) for one in re.findall(r"font-size: ([\d.]+)px", svg)]
        assert min(sizes) >= 8.5  # in points of a picture that is not shrunk: 11 px
        colours = {one.lower() for one in re.findall(r"(?:fill|stroke): (#[0-9a-fA-F]{6})", svg)}
        assert colours <= {"#0072b2", "#d55e00", "#767676", "#ffffff", "#000000", "#d9d9d9"}


def test_what_was_not_measured_is_not_drawn() -> None:
    document = {**made_up_results(), "official": {"left_out": "no data"}}
    assert set(draw_all(document)) == {"latency.svg", "operational.svg", "robustness.svg"}


def test_a_policy_without_answers_and_a_table_without_confusions_are_drawn() -> None:
    document: dict[str, Any] = made_up_results()
    document["official"]["worst_pairs"] = []
    document["official"]["abstention"]["answers"]["accuracy"] = None
    drawn = draw_all(document)
    assert "as shipped" not in words(drawn["risk-coverage.svg"])


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PictureError, match=r"pip install 'llm-banking\[train\]'"):
        draw_all(made_up_results())
