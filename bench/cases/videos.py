"""Test videos, made once: an Xvid-tagged MPEG-4 AVI like UCF101's (320x240, 25 fps, 7 s) and a 720p H.264 (30 fps, 10 s, B-frames, key frames far apart),
with moving texture and grain at bit rates near the real ones."""
import os
from fractions import Fraction

KINDS = {"avi": dict(codec="mpeg4", w=320, h=240, fps=25, seconds=7, rate=500_000, gop=12, bf=0, tag="XVID", options={}),
         "720p": dict(codec="libx264", w=1280, h=720, fps=30, seconds=10, rate=4_000_000, gop=250, bf=3, tag=None, options={"preset": "medium"})}
NAMES = {"avi": "ucf.avi", "720p": "h264_720p.mp4"}


def texture(w, h, rng):
    import numpy as np
    base = np.kron(rng.normal(size=(h // 8, w // 8, 3)), np.ones((8, 8, 1)))
    for axis in (0, 1):
        for k in (1, 2, 4):
            base = (base + np.roll(base, k, axis) + np.roll(base, -k, axis)) / 3
    return (128 + 60 * base / base.std()).clip(0, 255).astype(np.uint8)


def picture(i, w, h, rng, base):
    import numpy as np
    shifted = np.roll(base, (int(40 * np.sin(i / 20)), int(3 * i * w / 320) % w), (0, 1)).astype(np.int16)
    y, x = np.mgrid[0:h, 0:w]
    disc = (x - w * (.5 + .3 * np.sin(i / 17))) ** 2 + (y - h * (.5 + .3 * np.cos(i / 13))) ** 2 < (h / 5) ** 2
    shifted[disc] = 255 - shifted[disc]
    return (shifted + rng.integers(-4, 5, (h, w, 1), dtype=np.int16)).clip(0, 255).astype(np.uint8)


def make(path, codec, w, h, fps, seconds, rate, gop, bf, tag, options):
    import av
    import numpy as np
    rng = np.random.default_rng(1)
    base = texture(w, h, rng)
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = w, h, "yuv420p", rate
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, bf
        if tag:
            stream.codec_context.codec_tag = tag
        for i in range(fps * seconds):
            frame = av.VideoFrame.from_ndarray(picture(i, w, h, rng, base), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def video(scratch, kind):
    folder = os.path.join(scratch, "videos")
    path = os.path.join(folder, NAMES[kind])
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        part = os.path.join(folder, "part-" + NAMES[kind])
        make(part, **KINDS[kind])
        os.rename(part, path)
    return path
