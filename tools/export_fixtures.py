"""Export the tiny Vision Transformers of the importer's tests, in the spellings that exporters use in the wild.

    pip install intvit[train]
    python tools/export_fixtures.py tests/data/exports

Every fixture is a ViT of 16 x 16 pixels, 16 patches, 24 channels, 3 heads and 2 blocks with seeded random weights.
"""

import argparse
import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

DIM, HEADS, DEPTH, IMAGE, PATCH, CLASSES = 24, 3, 2, 16, 4, 10
HEAD_DIM = DIM // HEADS


@dataclass(frozen=True)
class Config:
    """One way to write a ViT."""

    attention: str
    softmax: str = "sdpa"
    pool: str = "cls"
    gelu: str = "erf"
    norm: str = "module"


def attend(q: Tensor, k: Tensor, v: Tensor, softmax: str) -> Tensor:
    """Attention of [B, H, T, d] tensors."""
    if softmax == "sdpa":
        return F.scaled_dot_product_attention(q, k, v)
    if softmax == "scaled_query":
        return ((q * HEAD_DIM**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
    return (q @ k.transpose(-1, -2) / math.sqrt(HEAD_DIM)).softmax(-1) @ v


class FusedAttention(nn.Module):
    """One linear layer for query, key and value, as in timm; taken apart by unbind, chunk or indexing."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.qkv, self.proj, self.config = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM), config

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        b, t, _ = x.shape
        if self.config.attention == "chunk":
            q, k, v = (c.reshape(b, t, HEADS, HEAD_DIM).transpose(1, 2) for c in self.qkv(x).chunk(3, dim=-1))
        else:
            qkv = self.qkv(x).reshape(b, t, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
            q, k, v = qkv.unbind(0) if self.config.attention == "unbind" else (qkv[0], qkv[1], qkv[2])
        return self.proj(attend(q, k, v, self.config.softmax).transpose(1, 2).reshape(b, t, DIM))


class SeparateAttention(nn.Module):
    """Three linear layers, as in Hugging Face transformers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(DIM, DIM) for _ in range(3))
        self.output, self.config = nn.Linear(DIM, DIM), config

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        shape = (x.shape[0], -1, HEADS, HEAD_DIM)
        q, k, v = (layer(x).view(shape).transpose(1, 2) for layer in (self.query, self.key, self.value))
        mixed = attend(q, k, v, self.config.softmax).permute(0, 2, 1, 3).contiguous()
        return self.output(mixed.view((*mixed.shape[:-2], DIM)))


class TorchAttention(nn.Module):
    """`nn.MultiheadAttention`, as in torchvision, with the batch or the sequence first."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.batch_first = config.attention == "mha"
        self.attention = nn.MultiheadAttention(DIM, HEADS, batch_first=self.batch_first)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        if self.batch_first:
            return self.attention(x, x, x, need_weights=False)[0]
        y = x.transpose(0, 1)
        return self.attention(y, y, y, need_weights=False)[0].transpose(0, 1)


class WrittenGelu(nn.Module):
    """GELU written out, in several orders."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        match self.kind:
            case "half_first":
                return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))
            case "erf_first":
                return (torch.erf(x * 0.7071067811865475) + 1.0) * 0.5 * x
            case "bert":
                return x * 0.5 * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3.0))))
            case "fast":
                return 0.5 * x * (1.0 + torch.tanh(x * 0.7978845608 * (1.0 + 0.044715 * x * x)))
            case _:
                return x * torch.sigmoid(1.702 * x)


class WrittenNorm(nn.Module):
    """Layer normalisation written out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(DIM)), nn.Parameter(torch.zeros(DIM))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        centered = x - x.mean(-1, keepdim=True)
        return self.weight * (centered * torch.rsqrt((centered * centered).mean(-1, keepdim=True) + 1e-6)) + self.bias


def make_norm(config: Config) -> nn.Module:
    """Layer normalisation in the spelling of a configuration."""
    return nn.LayerNorm(DIM, eps=1e-6) if config.norm == "module" else WrittenNorm()


def make_gelu(config: Config) -> nn.Module:
    """GELU in the spelling of a configuration."""
    modules = {"erf": nn.GELU(), "tanh": nn.GELU(approximate="tanh")}
    return modules.get(config.gelu) or WrittenGelu(config.gelu)


class Block(nn.Module):
    """A pre-norm encoder block."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        makers = {"separate": SeparateAttention, "mha": TorchAttention, "mha_sequence_first": TorchAttention}
        self.norm1, self.norm2 = make_norm(config), make_norm(config)
        self.attn = makers.get(config.attention, FusedAttention)(config)
        self.mlp = nn.Sequential(nn.Linear(DIM, 2 * DIM), make_gelu(config), nn.Dropout(0.1), nn.Linear(2 * DIM, DIM))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """A tiny ViT."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = nn.Conv2d(3, DIM, PATCH, PATCH)
        tokens = {"cls": 1, "registers": 3, "distilled": 2}.get(config.pool, 0)
        self.tokens = nn.ParameterList(nn.Parameter(torch.zeros(1, 1, DIM)) for _ in range(tokens))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens + (IMAGE // PATCH) ** 2, DIM))
        self.blocks = nn.Sequential(*(self.make_block() for _ in range(DEPTH)))
        self.norm = make_norm(config)
        self.heads = nn.ModuleList(nn.Linear(DIM, CLASSES) for _ in range(2 if config.pool == "distilled" else 1))

    def make_block(self) -> nn.Module:
        """Make one encoder block."""
        if self.config.attention == "encoder_layer":
            options: dict[str, Any] = {"norm_first": True, "batch_first": True, "activation": "gelu"}
            return nn.TransformerEncoderLayer(DIM, HEADS, 2 * DIM, **options)
        return Block(self.config)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Apply the module."""
        x = self.patch_embed(image).flatten(2).transpose(1, 2)
        tokens = [t.expand(x.shape[0], -1, -1) for t in self.tokens]
        x = torch.cat([x, *tokens] if self.config.pool == "registers" else [*tokens, x], dim=1)
        x = self.norm(self.blocks(x + self.pos_embed))
        match self.config.pool:
            case "gap":
                return self.heads[0](x.mean(1))
            case "gap_adaptive":
                return self.heads[0](F.adaptive_avg_pool1d(x.transpose(1, 2), 1).flatten(1))
            case "distilled":
                return self.heads[0](x[:, 0]), (self.heads[0](x[:, 0]) + self.heads[1](x[:, 1])) / 2
            case "registers":
                return self.heads[0](x[:, -3])
        return self.heads[0](x[:, 0])


TIMM = Config("unbind")
TIMM_UNFUSED = Config("unbind", "scaled_query")
CHUNK = Config("chunk", "divided", pool="gap", gelu="half_first")
INDEX = Config("index", "divided", pool="distilled", gelu="erf_first")
HUGGING_FACE = Config("separate", "divided")
HUGGING_FACE_SDPA = Config("separate", "sdpa")
REGISTERS = Config("unbind", "sdpa", pool="registers", gelu="tanh")
WRITTEN = Config("chunk", "scaled_query", pool="gap_adaptive", gelu="bert", norm="written")
WRITTEN_FAST = Config("separate", "divided", pool="gap", gelu="fast", norm="written")
TORCHVISION = Config("mha")
SEQUENCE_FIRST = Config("mha_sequence_first")
ENCODER_LAYER = Config("encoder_layer")
QUICK_GELU = Config("unbind", "sdpa", gelu="quick")

TORCHSCRIPT = {
    "timm": (TIMM, (14, 17)),
    "timm_unfused": (TIMM_UNFUSED, (11, 13, 16)),
    "chunk_gap": (CHUNK, (13, 17)),
    "index_distilled": (INDEX, (17,)),
    "hf": (HUGGING_FACE, (12, 17)),
    "registers_tanh": (REGISTERS, (14,)),
    "written": (WRITTEN, (13, 17)),
    "written_fast": (WRITTEN_FAST, (16,)),
    "torchvision": (TORCHVISION, (14,)),
    "sequence_first": (SEQUENCE_FIRST, (17,)),
    "encoder_layer": (ENCODER_LAYER, (17,)),
    "quick_gelu": (QUICK_GELU, (17,)),
}
DYNAMO = {
    "timm": (TIMM, (18, 20, 23)),
    "chunk_gap": (CHUNK, (18,)),
    "index_distilled": (INDEX, (20,)),
    "hf_sdpa": (HUGGING_FACE_SDPA, (18, 23)),
    "registers_tanh": (REGISTERS, (18, 21)),
    "written": (WRITTEN, (18,)),
    "torchvision": (TORCHVISION, (18, 23)),
    "sequence_first": (SEQUENCE_FIRST, (18,)),
}
DYNAMO_DYNAMIC = {"timm_dynamic": (TIMM, (18,)), "torchvision_dynamic": (TORCHVISION, (18,))}


def build(config: Config) -> nn.Module:
    """Make a model whose every weight is random, so that no bias or scale is neutral."""
    torch.manual_seed(0)
    model = Vit(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            gain = "norm" in name and name.endswith("weight")
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (1.0 if gain else 0.0))
    return model


def export(config: Config, file: Path, opset: int, *, dynamo: bool, dynamic: bool) -> None:
    """Write one fixture."""
    model, image = build(config), torch.rand(2 if dynamo and dynamic else 1, 3, IMAGE, IMAGE)
    options: dict[str, Any] = {"opset_version": opset, "input_names": ["image"], "dynamo": dynamo}
    if dynamo:
        options |= {"external_data": False, "verbose": False}
        if dynamic:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        options["dynamic_axes"] = {"image": {0: "batch"}}
    torch.onnx.export(model, (image,), str(file), **options)
    proto = onnx.load(str(file))
    strip_local_paths(proto)
    onnx.save(proto, str(file))


def strip_local_paths(proto: onnx.ModelProto) -> None:
    """Drop the stack traces and other metadata that are not the same on every machine."""
    for owner in (
        proto.graph,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.value_info,
        *proto.graph.initializer,
    ):
        del owner.metadata_props[:]
    for node in proto.graph.node:
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""


def main() -> None:
    """Write all fixtures, or those whose name holds the given text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="part of the names of the fixtures to write")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    args.folder.mkdir(parents=True, exist_ok=True)
    groups = (("torchscript", TORCHSCRIPT, True), ("dynamo", DYNAMO, False), ("dynamo", DYNAMO_DYNAMIC, True))
    for exporter, table, dynamic in groups:
        for name, (config, opsets) in table.items():
            for opset in opsets:
                file = args.folder / f"{name}_{exporter}{opset}.onnx"
                if args.only in file.name:
                    export(config, file, opset, dynamo=exporter == "dynamo", dynamic=dynamic)
                    print(f"{file.name}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
