"""The charts of report.html: Altair makes the specifications, the page brings the data.

`make page` writes them, and the Vega that draws them, to `reports/templates/page`: they
are shipped, so that a page can be written where neither is installed. Colours are names
such as `@fail`: the page puts those of its theme in their place.
"""

import gzip
from pathlib import Path

import altair as alt
import msgspec
import vl_convert

PAGE = Path(__file__).with_name("templates") / "page"

_Layers = alt.LayerChart | alt.FacetChart
_VALUES = alt.NamedData("values")
_OVER = "datum.over"
_WHOLE = "datum.value % 1 ? '' : format(datum.value, 'd')"


def steps() -> _Layers:
    """Draw each step's error beside its bound; red where it is outside."""
    base = alt.Chart(_VALUES, width=430, height=210).encode(
        x=alt.X("step:Q", axis=alt.Axis(labelExpr=_WHOLE, title="step"))
    )
    size = alt.Scale(type="log", nice=False, padding=8)
    number = alt.Axis(format=".0e", title="|error| of one step", tickCount=5)
    bound = base.mark_line(interpolate="step", strokeDash=[5, 3], color="@soft")
    error = base.mark_line(color="@soft", opacity=0.4, strokeWidth=1)
    point = base.mark_circle(size=46, opacity=1).encode(
        color=alt.condition(_OVER, alt.value("@fail"), alt.value("@pass")),
        tooltip=[
            alt.Tooltip("step:Q"),
            alt.Tooltip("error:Q", format=".2e"),
            alt.Tooltip("bound:Q", format=".2e"),
        ],
    )
    last = base.transform_window(
        rank="rank()", sort=[alt.SortField("step", order="descending")]
    ).transform_filter("datum.rank == 1 && isValid(datum.bound)")
    name = last.mark_text(align="right", dy=14, color="@soft", text="bound")
    y = alt.Y("error:Q", scale=size, axis=number)
    return alt.layer(
        bound.encode(y=alt.Y("bound:Q", scale=size, axis=number)),
        error.encode(y=y),
        point.encode(y=y),
        name.encode(y=alt.Y("bound:Q", scale=size, axis=number)),
    )


def pairs() -> _Layers:
    """Draw every two backends: the largest difference of outputs, coloured by share."""
    top = alt.Axis(orient="top", labelAngle=0)
    base = alt.Chart(_VALUES, width=alt.Step(84), height=alt.Step(34)).encode(
        x=alt.X("a:N", title=None, sort=None, axis=top),
        y=alt.Y("b:N", title=None, sort=None),
        tooltip=[
            alt.Tooltip("a:N", title="backend"),
            alt.Tooltip("b:N", title="and"),
            alt.Tooltip("apart:N", title="max abs"),
            alt.Tooltip("share:Q", title="share of both bounds", format=".3g"),
        ],
    )
    shade = alt.Scale(
        domain=[0, 1, 1.0001, 100],
        range=["@ground", "@pass", "@fail", "@fail"],
        clamp=True,
    )
    box = base.mark_rect(stroke="@soft", strokeWidth=0.5, opacity=0.55).encode(
        color=alt.Color("share:Q", scale=shade, legend=None)
    )
    words = base.mark_text(color="@ink", fontSize=12).encode(text="apart:N")
    return alt.layer(box, words)


def spread() -> _Layers:
    """Draw how error / bound is spread, a row for each backend, and where they fail."""
    base = alt.Chart(_VALUES, width=760)
    share = alt.X(
        "bound_ratio:Q",
        scale=alt.Scale(type="log", padding=12),
        axis=alt.Axis(title="error / bound, the worst of each case", format="~g"),
    )
    bars = (
        base.transform_calculate(power="floor(log(datum.bound_ratio) / LN10 * 4) / 4")
        .transform_aggregate(results="count()", groupby=["backend", "power"])
        .transform_calculate(bound_ratio="pow(10, datum.power + 0.125)")
        .mark_circle(opacity=0.85)
        .encode(
            x=share,
            y=alt.Y("backend:N", title=None, sort=None),
            size=alt.Size("results:Q", legend=alt.Legend(title="results")),
            color=alt.condition(
                "datum.bound_ratio > 1", alt.value("@fail"), alt.value("@pass")
            ),
            tooltip=["backend:N", "results:Q"],
        )
    )
    limit = base.mark_rule(color="@fail", strokeDash=[4, 3]).encode(x=alt.datum(1))
    return alt.layer(bars, limit)


def specifications() -> bytes:
    """Give every chart by the name that the page asks for, as JSON."""
    charts = {"steps": steps(), "pairs": pairs(), "spread": spread()}
    plain = {name: chart.to_dict() for name, chart in charts.items()}
    return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


def bundle() -> bytes:
    """Give Vega, Vega-Lite and Vega-Embed as one script that loads nothing."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode()


if __name__ == "__main__":
    (PAGE / "charts.json").write_bytes(specifications())
    (PAGE / "vega.js.gz").write_bytes(gzip.compress(bundle(), 9, mtime=0))
