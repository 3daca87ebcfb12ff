"""The report's pictures as SVG, drawn from the results file alone: the same figures give the same bytes.

matplotlib belongs to the extra `train`; it is imported when something is drawn. Colours are two of Okabe and Ito's,
which the colour-blind tell apart, and no picture rests on colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llm_banking.kit.errors import LlmBankingError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
WIDTH_IN = 7.2
"""About 690 px wide: shown on a page it is not shrunk, and the smallest text stays 12 px high."""
_PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
"""Behind text that may lie on a line."""
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "llm-banking",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}


class PictureError(LlmBankingError):
    """A picture cannot be drawn; the message says what to install."""

    code = "ENGINE_UNAVAILABLE"


@contextmanager
def _figure(height_in: float, rows: int = 1, ratios: tuple[int, ...] = (1,)) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with `rows` axes, one above the other, in our style whatever matplotlib's settings here."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise PictureError(
            f"{error.name} is not installed, so no picture can be drawn. Install the extra: "
            "pip install 'llm-banking[train]'."
        ) from None
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _STYLE.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        figure = Figure(figsize=(WIDTH_IN, height_in))
        axes = figure.subplots(rows, 1, squeeze=False, gridspec_kw={"height_ratios": ratios}, sharex=rows > 1)
        yield figure, [row[0] for row in axes]


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _plain_ticks(axis: Axis, wanted: tuple[float, ...]) -> None:
    """Ticks of a logarithmic axis at the wanted values in its range, in digits."""
    low, high = axis.get_view_interval()
    shown = [value for value in wanted if low <= value <= high]
    axis.set_ticks(shown, labels=[f"{value:g}" for value in shown])
    axis.set_ticks([], minor=True)


def _errors(rows: list[dict[str, Any]]) -> list[list[float]]:
    """How far the interval of each row's accuracy reaches below and above it, in percent."""
    return [
        [100 * max(0.0, row["accuracy"] - row["accuracy_low"]) for row in rows],
        [100 * max(0.0, row["accuracy_high"] - row["accuracy"]) for row in rows],
    ]


def draw_reliability(document: Mapping[str, Any]) -> str:
    """Accuracy against confidence in bins of confidence, with 95% intervals, and the rows in each bin below."""
    bins, ece = document["official"]["reliability"], document["official"]["inside_77"]["ece"]
    with _figure(5.4, 2, (3, 1)) as (figure, (above, below)):
        above.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1, label="confidence = accuracy")
        above.errorbar(
            [100 * row["confidence"] for row in bins],
            [100 * row["accuracy"] for row in bins],
            yerr=_errors(bins),
            fmt="o",
            markersize=5,
            capsize=3,
            linewidth=1.2,
            color=BLUE,
            label=f"one of 15 bins, 95% interval (ECE {ece:.4f})",
        )
        above.set(ylabel="right (%)", ylim=(-3, 103), xlim=(0, 102))
        above.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
        below.bar(
            [100 * row["low"] for row in bins],
            [row["rows"] for row in bins],
            width=[100 * (row["high"] - row["low"]) for row in bins],
            align="edge",
            color=BLUE,
            edgecolor="white",
        )
        below.set(xlabel="confidence (%)", ylabel="texts (number)", yscale="log", ylim=(0.8, None))
        _plain_ticks(below.yaxis, (1, 10, 100, 1000, 10000))
        return _svg(figure)


def draw_risk_coverage(document: Mapping[str, Any]) -> str:
    """Share wrong among the answered against the share answered, with the shipped policy's point on it."""
    curve, policy = document["official"]["risk_coverage"]["points"], document["official"]["abstention"]
    with _figure(4.0) as (figure, (axes,)):
        axes.plot([100 * x for x, _ in curve], [100 * y for _, y in curve], color=BLUE, linewidth=1.8)
        axes.axhline(3, color=GREY, linestyle=":", linewidth=1)
        axes.axvline(93, color=GREY, linestyle=":", linewidth=1)
        axes.annotate("aim: at most 3% wrong", (1, 3), xytext=(0, 3), textcoords="offset points", color=GREY)
        axes.annotate(
            "aim: at least 93% answered ",
            (93, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color=GREY,
        )
        answers = policy["answers"]["accuracy"]
        if answers is not None:
            x, y = 100 * policy["coverage"], 100 * (1 - answers)
            axes.plot([x], [y], marker="D", color=ORANGE, markersize=7, linestyle="none")
            axes.annotate(
                f"as shipped: {x:.1f}% answered, {y:.1f}% of it wrong",
                (x, y),
                xytext=(-10, -4),
                textcoords="offset points",
                ha="right",
                va="top",
                color=ORANGE,
                bbox=_PLATE,
            )
        axes.set(xlabel="texts answered, surest first (%)", ylabel="wrong among the answered (%)", xlim=(0, 101))
        axes.set_ylim(0, None)
        return _svg(figure)


def draw_confusions(document: Mapping[str, Any]) -> str:
    """The worst confusions as bars: what was meant, what it was read as, and how many texts."""
    pairs = document["official"]["worst_pairs"]
    with _figure(1.0 + 0.36 * max(1, len(pairs))) as (figure, (axes,)):
        places = list(range(len(pairs)))
        axes.barh(places, [pair["rows"] for pair in pairs], color=BLUE, height=0.7)
        names = [f"{pair['meant']}\nread as {pair['read_as']}" for pair in pairs]
        axes.set_yticks(places, names, fontsize=8.5)
        for place, pair in zip(places, pairs, strict=True):
            axes.annotate(
                f"{pair['rows']} ({pair['share']:.0%})",
                (pair["rows"], place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", integer=True)
        axes.set(
            xlabel="texts read wrongly (number; share of the intent)", ylabel="intent meant, and what it was read as"
        )
        axes.margins(x=0.18, y=0.02)
        return _svg(figure)


def draw_latency(document: Mapping[str, Any]) -> str:
    """Texts by the milliseconds that one reading took, with the percentiles marked."""
    taken = document["speed"]["read_ms"]
    edges, counts = taken["histogram"]["edges_ms"], taken["histogram"]["counts"]
    full = [place for place, count in enumerate(counts) if count]
    first, last = full[0], full[-1] + 1
    with _figure(3.6) as (figure, (axes,)):
        axes.bar(
            edges[first:last],
            counts[first:last],
            width=[high - low for low, high in zip(edges[first:last], edges[first + 1 : last + 1], strict=True)],
            align="edge",
            color=BLUE,
            edgecolor="white",
            linewidth=0.5,
        )
        for number, name in enumerate(("p50", "p95", "p99")):
            axes.axvline(taken[name], color=ORANGE, linestyle=("-", "--", ":")[number], linewidth=1.4)
            axes.annotate(
                f"{name} {taken[name]:.2f} ms",
                (taken[name], 0.97 - 0.09 * number),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                va="top",
                color=ORANGE,
                bbox=_PLATE,
            )
        axes.set(xlabel="time of one reading, one thread, tokenising included (ms)", ylabel="texts (number)")
        axes.set_ylim(0, 1.3 * max(counts))
        axes.set(xscale="log", xlim=(edges[max(0, first - 1)], edges[last] * 1.8))
        _plain_ticks(axes.xaxis, (0.5, 1, 2, 3, 5, 8, 10, 20, 50, 100, 200, 500))
        return _svg(figure)


def draw_operational(document: Mapping[str, Any]) -> str:
    """The twenty operational intents that are read worst, with 95% intervals and the floor of 90%."""
    table = document["operational"]["per_intent"]
    worst = sorted(table.items(), key=lambda item: (item[1]["accuracy"], item[0]))[:20]
    rows = [row for _, row in worst]
    with _figure(1.0 + 0.26 * max(1, len(worst))) as (figure, (axes,)):
        axes.errorbar(
            [100 * row["accuracy"] for row in rows],
            list(range(len(rows))),
            xerr=_errors(rows),
            fmt="o",
            markersize=5,
            capsize=3,
            linewidth=1.2,
            color=BLUE,
        )
        axes.axvline(90, color=GREY, linestyle=":", linewidth=1)
        axes.set_yticks(list(range(len(rows))), [f"{name} ({row['rows']})" for name, row in worst], fontsize=9)
        axes.invert_yaxis()
        axes.set(xlabel="read right (%), 95% interval; the dotted line is the floor of 90%", ylabel="intent (texts)")
        axes.set_xlim(None, 101)
        return _svg(figure)


def draw_robustness(document: Mapping[str, Any]) -> str:
    """Points of accuracy lost under each perturbation, with 95% intervals."""
    table = document["robustness"]["table"]
    with _figure(1.0 + 0.28 * len(table)) as (figure, (axes,)):
        places = list(range(len(table)))
        errors = [
            [row["lost_points"] - row["low"] for row in table],
            [row["high"] - row["lost_points"] for row in table],
        ]
        axes.errorbar(
            [row["lost_points"] for row in table],
            places,
            xerr=errors,
            fmt="o",
            markersize=5,
            capsize=3,
            linewidth=1.2,
            color=BLUE,
        )
        axes.axvline(0, color=GREY, linewidth=1)
        names = [f"{row['perturbation']}: {row['strength']}" for row in table]
        axes.set_yticks(places, names, fontsize=9)
        axes.invert_yaxis()
        axes.set(xlabel="accuracy lost (percentage points), 95% interval", ylabel="perturbation")
        return _svg(figure)


PICTURES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "reliability.svg": ("official", draw_reliability),
    "risk-coverage.svg": ("official", draw_risk_coverage),
    "confusions.svg": ("official", draw_confusions),
    "latency.svg": ("speed", draw_latency),
    "operational.svg": ("operational", draw_operational),
    "robustness.svg": ("robustness", draw_robustness),
}
"""File name, the section of the results that it needs, and what draws it."""


def draw_all(document: Mapping[str, Any]) -> dict[str, str]:
    """Every picture whose section was measured, as SVG by file name. Raises PictureError."""
    return {name: draw(document) for name, (section, draw) in PICTURES.items() if "left_out" not in document[section]}
