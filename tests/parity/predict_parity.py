"""reel predict --json on real videos against transformers' pipeline, which is fed with the same frames in display order."""
import glob
import json
import os

import av
import numpy as np
import torch
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor, pipeline

import common as c

FRAMES = 16
# What PyAV itself cannot open, or converts through another path of the scaler (data-and-inference of docs/design.md).
NOT_COMPARED = {"hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi": "PyAV refuses its metadata"}


def make_model(path):
    torch.manual_seed(11)
    labels = [f"class {i}" for i in range(12)]
    config = VideoMAEConfig(image_size=112, patch_size=16, num_frames=FRAMES, hidden_size=96, num_hidden_layers=2,
                            num_attention_heads=4, intermediate_size=192, id2label=dict(enumerate(labels)),
                            label2id={k: i for i, k in enumerate(labels)}, initializer_range=0.2)
    VideoMAEForVideoClassification(config).save_pretrained(path)
    VideoMAEImageProcessor(size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112},
                           image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]).save_pretrained(path)
    return path


def frames_of(path):
    """All frames as RGB, in the order the decoder delivers them; None and the reason where the formula does not apply."""
    with av.open(path) as container:
        stream = container.streams.best("video")
        stream.thread_type = "SLICE"
        fmt = stream.codec_context.pix_fmt
        if fmt not in ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p") or stream.codec_context.height % 2:
            return None, f"pixel format {fmt}, height {stream.codec_context.height}"
        sizes, out = set(), []
        for frame in container.decode(stream):
            sizes.add((frame.width, frame.height))
            out.append(frame.to_ndarray(format="rgb24"))
        if len(sizes) != 1:
            return None, "frames of several sizes"
        return out, None


def main():
    files = sorted(glob.glob(os.path.join(c.SHARED, "data", "clips", "*")) + glob.glob(os.path.join(c.SHARED, "data", "quirks", "*")))
    if not files:
        c.skip("predict on real videos", f"no videos at {c.SHARED}/data")
        return
    path = make_model(c.folder("predict"))
    pipe = pipeline("video-classification", model=path)
    compared = 0
    for file in files:
        name = os.path.basename(file)
        if name in NOT_COMPARED:
            continue
        try:
            frames, why = frames_of(file)
        except Exception as e:
            frames, why = None, f"PyAV: {e}"
        if frames is None or not frames:
            print(f"# not compared: {name} ({why})")
            continue
        n = len(frames)
        index = [i * n // FRAMES for i in range(FRAMES)]
        want = pipe(np.stack([frames[i] for i in index]), top_k=12)
        got = json.loads(c.reel("predict", "--model", path, "--json", "--top_k", 12, "--autorotate", "false", file))
        ours = {g["label"]: g["score"] for g in got}
        theirs = {w["label"]: w["score"] for w in want}
        worst = max(abs(ours.get(k, -1) - theirs[k]) for k in theirs)
        c.report(list(ours) and worst <= 1e-5 and got[0]["label"] == want[0]["label"], f"predict {name}",
                 f"{n} frames, scores differ by {worst:.1e}")
        compared += 1
    c.report(compared >= 40, "enough real videos were compared", str(compared))


if __name__ == "__main__":
    main()
    c.finish()
