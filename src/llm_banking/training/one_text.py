"""The fused graph cut down to what one text alone needs: no padding mask, no token types (ADR 0004)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

_ATTENTION_MASK, _EMBED_MASK = 3, 7
_EMBED_TYPES, _EMBED_POSITIONS, _EMBED_TYPE_WEIGHTS = 1, 3, 4


def cut_to_one_text(path: Path) -> None:
    """Rewrite a fused fp32 graph in place for `input_ids` (rows, length) without padding.

    The mask, all ones for a text alone, is dropped, and the one token type in use is added to the position weights.
    What the graph computes for a text alone stays the same up to rounding.
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
    _without_unused(graph)
    onnx.save(model, str(path))


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
