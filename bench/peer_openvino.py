"""Forward with OpenVINO: peer_openvino.py CONFIG BATCH THREADS MODE SCRATCH      (then a number of passes on stdin: peer.py)

MODE: fp32 | bf16 (INFERENCE_PRECISION_HINT) | int8 (nncf, transformer preset, the rest in float32) | int8-bf16 (the rest in bfloat16)
The exported and the quantised model are kept under SCRATCH: neither is what is measured."""
import os
import sys

import numpy as np
import openvino as ov

from peer import serve

config, batch, threads, mode, scratch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
CALIBRATION = 8  # random clips, as the weights are
name = os.path.splitext(os.path.basename(config))[0]


def kept(kind, make):
    path = os.path.join(scratch, f"{name}-b{batch}-{kind}.xml")
    if not os.path.exists(path):
        ov.save_model(make(), path, compress_to_fp16=False)
    return path


def exported():
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification
    torch.manual_seed(42)
    cfg = VideoMAEConfig.from_json_file(config)
    cfg._attn_implementation = "sdpa"

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = VideoMAEForVideoClassification(cfg).eval()

        def forward(self, clip):
            return self.net(clip).logits

    x = torch.zeros(batch, cfg.num_frames, cfg.num_channels, cfg.image_size, cfg.image_size)
    model = ov.convert_model(Logits(), example_input=x)
    model.reshape(list(x.shape))
    return model


def quantised():
    import nncf
    model = ov.Core().read_model(kept("fp32", exported))
    shape = list(model.input(0).shape)
    rng = np.random.default_rng(1)
    clips = [rng.standard_normal(shape, dtype=np.float32) for _ in range(CALIBRATION)]
    return nncf.quantize(model, nncf.Dataset(clips), model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION)


path = kept("int8", quantised) if mode.startswith("int8") else kept("fp32", exported)
core = ov.Core()
model = core.read_model(path)
compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16" if mode.endswith("bf16") else "f32", "INFERENCE_NUM_THREADS": threads,
                                             "PERFORMANCE_HINT": "LATENCY"})
request = compiled.create_infer_request()
clip = np.random.default_rng(2).standard_normal(list(model.input(0).shape), dtype=np.float32)
serve(lambda: request.infer([clip]), {"mode": mode, "openvino": ov.__version__.split("-")[0]})
