"""Forward or training step with PyTorch: peer_torch.py CONFIG forward|train BATCH THREADS MODE      (then a number of passes on stdin: peer.py)

MODE, forward: fp32 | bf16 (model and clip in bfloat16) | autocast | compile (bf16, torch.compile with freezing) | compile-autocast | int8 (dynamic)
MODE, train:   fp32 | bf16 (autocast) | fp32-checkpointing | bf16-checkpointing
Attention is sdpa, AdamW fused: the fastest that PyTorch offers."""
import contextlib
import os
import sys

config, what, batch, threads, mode = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
if mode.startswith("compile"):
    os.environ["TORCHINDUCTOR_FREEZING"] = "1"
import torch
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, logging

from peer import serve

logging.set_verbosity_error()
torch.set_num_threads(threads)
torch.manual_seed(42)
cfg = VideoMAEConfig.from_json_file(config)
cfg._attn_implementation = "sdpa"
net = VideoMAEForVideoClassification(cfg)
x = torch.randn(batch, cfg.num_frames, cfg.num_channels, cfg.image_size, cfg.image_size)
half = contextlib.nullcontext
if "autocast" in mode or (what == "train" and mode.startswith("bf16")):
    half = lambda: torch.autocast("cpu", dtype=torch.bfloat16)


def forward():
    with torch.no_grad(), half():
        return net(pixel_values=x).logits


def train():
    with half():
        loss = net(pixel_values=x, labels=y).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    opt.zero_grad()


info = {"mode": mode, "torch": torch.__version__}
if what == "train":
    net.train()
    if mode.endswith("checkpointing"):
        net.gradient_checkpointing_enable()
    opt = torch.optim.AdamW(net.parameters(), lr=5e-5, fused=True)
    y = torch.zeros(batch, dtype=torch.long)
    serve(train, info, again=False)
else:
    net.eval()
    if mode in ("bf16", "compile"):
        net, x = net.bfloat16(), x.bfloat16()
    if mode == "int8":
        net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)
        info["engine"] = torch.backends.quantized.engine
    if mode.startswith("compile"):
        net = torch.compile(net)
    serve(forward, info, warm=3 if mode.startswith("compile") else 1)
