"""The same passes with PyTorch: peer_torch.py CONFIG forward|train BATCH ROUNDS [THREADS]. Same JSON line as bench_model."""
import json
import os
import resource
import sys
import time

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import VideoMAEConfig, VideoMAEForVideoClassification

config, what, batch, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(int(sys.argv[5]) if len(sys.argv) > 5 else 2)
torch.manual_seed(42)
cfg = VideoMAEConfig.from_json_file(config)
cfg._attn_implementation = "sdpa"
net = VideoMAEForVideoClassification(cfg)
x = torch.randn(batch, cfg.num_frames, cfg.num_channels, cfg.image_size, cfg.image_size)
y = torch.zeros(batch, dtype=torch.long)
times = []
if what == "train":
    net.train()
    opt = torch.optim.AdamW(net.parameters(), lr=5e-5, fused=True)
for r in range(-1, rounds):
    t = time.perf_counter()
    if what == "train":
        net(pixel_values=x, labels=y).loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
    else:
        with torch.inference_mode():
            net.eval()(pixel_values=x)
    if r >= 0:
        times.append(time.perf_counter() - t)
times.sort()
print(json.dumps({"median": times[len(times) // 2], "least": times[0], "most": times[-1], "clips": batch,
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                  "attention": net.config._attn_implementation, "torch": torch.__version__}))
