"""The fused graph cut down to what one text alone needs: no padding mask, no token types (ADR 0004)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_ATTENTION_MASK, _EMBED_MASK = 3, 7
_EMBED_TYPES, _EMBED_POSITIONS, _EMBED_TYPE_WEIGHTS = 1, 3, 4
_NORMS = ("LayerNormalization", "SkipLayerNormalization")


def cut_to_one_text(path: Path) -> None:
    """Rewrite a fused fp32 graph in place so that it takes `input_ids` of shape (rows, length) without padding.

    The mask, all ones for a text alone, is dropped, the mean is over every token, and the one token type in use is
    added to the position weights. What the graph computes for a text alone stays the same up to rounding.
    """
    model = onnx.load(str(path))
    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Attention":
            node.input[_ATTENTION_MASK] = ""
        elif node.op_type == "EmbedLayerNormalization":
            positions = weights[node.input[_EMBED_POSITIONS]]
            kind = numpy_helper.to_array(weights[node.input[_EMBED_TYPE_WEIGHTS]])[0]
            folded = (numpy_helper.to_array(positions) + kind).astype(np.float32)
            positions.CopyFrom(numpy_helper.from_array(folded, positions.name))
            for place in (_EMBED_TYPES, _EMBED_TYPE_WEIGHTS, _EMBED_MASK):
                if place < len(node.input):
                    node.input[place] = ""
    _plain_mean(graph)
    _without_unused(graph)
    onnx.save(model, str(path))


def _plain_mean(graph: Any) -> None:
    """`embedding` as the unit vector of the mean over the last layer's tokens."""
    last = _normalised_before(graph, "embedding")
    place, old = next((at, node) for at, node in enumerate(graph.node) if "embedding" in node.output)
    graph.node.remove(old)
    graph.node.insert(place, helper.make_node("ReduceMean", [last], ["token_mean"], axes=[1], keepdims=0))
    graph.node.insert(place + 1, helper.make_node("LpNormalization", ["token_mean"], ["embedding"], axis=-1, p=2))


def _normalised_before(graph: Any, name: str) -> str:
    """The layer's output that a value is computed from."""
    maker = {output: node for node in graph.node for output in node.output}
    reached = [name]
    for one in reached:
        node = maker.get(one)
        if node is not None and node.op_type in _NORMS:
            return one
        reached += node.input if node is not None else ()
    raise ValueError(f"nothing normalised leads to {name}")


def _without_unused(graph: Any) -> None:
    """Drop nodes, weights and inputs that no output needs."""
    while True:
        used = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
        dead = [node for node in graph.node if used.isdisjoint(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for kept in (graph.initializer, graph.input):
        for one in [one for one in kept if one.name not in used]:
            kept.remove(one)
