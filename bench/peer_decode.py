#!/usr/bin/env python3
"""The cases of bench_decode with PyAV, torchcodec and decord: one JSON line each; a library that is missing or fails is left out, with its reason.

    PYTHON bench/peer_decode.py CASE THREADS REPEATS FILE...      CASE: uniform | clip | all | files

Each library in the way that serves it best: PyAV with automatic threads (frame and slice), torchcodec in its exact mode (its approximate mode
is given too, as torchcodec-approximate: it guesses frame numbers from the rate), decord with its own index. Opening is included."""
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np

case, threads, repeats, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
A, B = 3.0, 3.0 + 64 / 30


class PyAV:
    def __init__(self, path, t):
        import av
        self.c = av.open(path)
        self.s = self.c.streams.video[0]
        self.s.thread_type = "AUTO" if t > 1 else "SLICE"
        self.s.codec_context.thread_count = t

    def uniform(self):
        n = self.s.frames
        if not n:
            n = sum(1 for p in self.c.demux(self.s) if p.size)
            self.c.seek(0)
        want = set(np.linspace(0, n - 1, 16).astype(int).tolist())
        out = []
        for i, f in enumerate(self.c.decode(video=0)):
            if i in want:
                out.append(f.to_ndarray(format="rgb24"))
                if len(out) == len(want):
                    break
        return np.stack(out)

    def clip(self):
        tb, out = self.s.time_base, []
        self.c.seek(int(A / tb), stream=self.s, backward=True)
        for f in self.c.decode(video=0):
            t = float(f.pts * tb)
            if t >= B:
                break
            if t >= A:
                out.append(f.to_ndarray(format="rgb24"))
        return np.stack(out)

    def all(self):
        return np.stack([f.to_ndarray(format="rgb24") for f in self.c.decode(video=0)])

    def close(self):
        self.c.close()


class TorchCodec:
    mode = "exact"

    def __init__(self, path, t):
        from torchcodec.decoders import VideoDecoder
        self.d = VideoDecoder(path, num_ffmpeg_threads=t, seek_mode=self.mode, dimension_order="NHWC")
        self.n = self.d.metadata.num_frames

    def uniform(self):
        return self.d.get_frames_at(np.linspace(0, self.n - 1, 16).astype(int).tolist()).data

    def clip(self):
        return self.d.get_frames_played_in_range(A, B).data

    def all(self):
        return self.d.get_frames_in_range(0, self.n).data

    def close(self):
        pass


class TorchCodecApproximate(TorchCodec):
    mode = "approximate"


class Decord:
    def __init__(self, path, t):
        import decord
        self.v = decord.VideoReader(path, num_threads=t)

    def uniform(self):
        return self.v.get_batch(np.linspace(0, len(self.v) - 1, 16).astype(int)).asnumpy()

    def clip(self):
        fps = self.v.get_avg_fps()
        return self.v.get_batch(range(int(np.ceil(A * fps)), min(int(np.ceil(B * fps)), len(self.v)))).asnumpy()

    def all(self):
        return self.v.get_batch(range(len(self.v))).asnumpy()

    def close(self):
        pass


def one(cls, path, what, t):
    v = cls(path, t)
    out = getattr(v, what)()
    v.close()
    return out


def measure(cls):
    def run():
        if case != "files":
            return len(one(cls, files[0], case, threads))
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda p: len(one(cls, p, "uniform", 1)), files))
    frames, seconds = run(), []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    return frames, seconds


for name, cls in (("pyav", PyAV), ("torchcodec", TorchCodec), ("torchcodec-approximate", TorchCodecApproximate), ("decord", Decord)):
    row = dict(program=name, case=case, file=files[0], files=len(files), threads=threads)
    try:
        frames, s = measure(cls)
        row.update(frames=frames, median_ms=round(s[len(s) // 2] * 1e3, 3), least_ms=round(s[0] * 1e3, 3))
    except Exception as e:
        row.update(failed=f"{type(e).__name__}: {str(e)[:120]}")
    print(json.dumps(row), flush=True)
