"""Processors in all their stored forms: reel's pixels against those of the processor that transformers makes of the same folder, what is
refused, and what reel writes, loaded by transformers again. REEL_PIXELS names the helper (pixels.c)."""
import copy
import glob
import json
import os
import subprocess

import numpy as np
import torch
from transformers import (AutoImageProcessor, AutoVideoProcessor, TimesformerVideoProcessor, VideoMAEConfig, VideoMAEForVideoClassification,
                          VideoMAEImageProcessor, VideoMAEVideoProcessor, VivitImageProcessor, VivitVideoProcessor, VJEPA2VideoProcessor,
                          pipeline)

import common as c
from predict_parity import frames_of as frames_of_file

PIXELS = os.environ.get("REEL_PIXELS", os.path.join(os.path.dirname(c.REEL), "..", "tests", "parity", "reel_pixels"))
FRAMES = 2
SIDE = 96  # of the pictures that most models here take
SIZES = [(120, 160), (161, 121), (233, 61), (37, 53), (96, 96), (400, 150)]

PARTS, VIDEO, IMAGE = "processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json"
BOUND = 1e-6  # of values behind the normalisation, relative above 1


def videomae(**change):
    return {"image_processor_type": "VideoMAEImageProcessor", "do_resize": True, "size": {"shortest_edge": SIDE}, "resample": 2,
            "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], **change}


def without(d, *keys):
    return {k: v for k, v in d.items() if k not in keys}


def vivit(**change):
    return {"image_processor_type": "VivitImageProcessor", "do_resize": True, "size": {"shortest_edge": 110}, "resample": 2,
            "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}, "do_rescale": True, "rescale_factor": 1 / 127.5,
            "offset": True, "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], **change}


def timesformer(**change):
    return videomae(image_mean=[0.45, 0.45, 0.45], image_std=[0.225, 0.225, 0.225], **change)


def vjepa2(**change):
    return {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": {"height": SIDE, "width": SIDE}, "size": {"shortest_edge": 300},
            "do_resize": True, "do_center_crop": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": None,
            "data_format": "channels_first", "resample": 2, "rescale_factor": 1 / 255, "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225], "return_metadata": False, **change}


def video_of(d, name):
    """A video processor's file with the values of an image processor's."""
    return {"video_processor_type": name, "do_convert_rgb": True, "do_sample_frames": False, "return_metadata": False,
            **without(d, "image_processor_type", "offset")}


def as_saved(processor):
    """The file that transformers itself writes."""
    path = c.folder("processor as saved " + type(processor).__name__)
    processor.save_pretrained(path)
    return {file: c.read_json(os.path.join(path, file)) for file in os.listdir(path)}


OLD = {"feature_extractor_type": "VideoMAEFeatureExtractor", "size": SIDE, "crop_size": SIDE, "do_center_crop": True, "do_normalize": True,
       "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2}

# (name, model type, files); where nothing else is said, pictures come out as SIDE x SIDE
TAKEN = [
    ("VideoMAE", "videomae", {IMAGE: videomae()}),
    ("VideoMAE, old", "videomae", {IMAGE: OLD}),
    ("VideoMAE, old, no class", "videomae", {IMAGE: without(OLD, "feature_extractor_type")}),
    ("VideoMAE, a word too many", "videomae", {IMAGE: videomae(processor_class="X", do_pad=True, pad_size={"height": 9, "width": 9}, crop_pct=0.9,
                                                             do_convert_rgb=True, data_format="channels_last", do_sample_frames=True,
                                                             input_data_format="channels_last", num_frames=FRAMES, of_somebody={"a": [1, 2]})}),
    ("VideoMAE, Fast", "videomae", {IMAGE: videomae(image_processor_type="VideoMAEImageProcessorFast")}),
    ("VideoMAE, Pil", "videomae", {IMAGE: videomae(image_processor_type="VideoMAEImageProcessorPil")}),
    ("VideoMAE, video file", "videomae", {VIDEO: video_of(videomae(), "VideoMAEVideoProcessor")}),
    ("VideoMAE, video file, no class", "videomae", {VIDEO: without(video_of(videomae(), ""), "video_processor_type")}),
    ("VideoMAE, part", "videomae", {PARTS: {"video_processor": video_of(videomae(), "VideoMAEVideoProcessor"), "processor_class": "X"}}),
    ("VideoMAE, image part alone", "videomae", {PARTS: {"image_processor": videomae()}}),
    ("VideoMAE, image part, old", "videomae", {PARTS: {"image_processor": OLD}}),
    ("VideoMAE, all files", "videomae", {PARTS: {"video_processor": video_of(videomae(size=101), "VideoMAEVideoProcessor"),
                                               "image_processor": videomae(size=102)},
                                       VIDEO: video_of(videomae(size=103), "VideoMAEVideoProcessor"), IMAGE: videomae(size=104)}),
    ("VideoMAE, image part and image file", "videomae", {PARTS: {"image_processor": videomae(size=105)}, IMAGE: videomae(size=106)}),
    ("VideoMAE, video and image file", "videomae", {VIDEO: video_of(videomae(size=107), "VideoMAEVideoProcessor"),
                                                  IMAGE: videomae(size=108, image_mean=0.5)}),
    ("VideoMAE, parts that are null", "videomae", {PARTS: {"video_processor": None, "image_processor": None}, IMAGE: videomae(size=109)}),
    ("VideoMAE by the name of another's image processor", "videomae", {IMAGE: videomae(image_processor_type="ViTImageProcessor")}),
    ("VideoMAE of an unknown name", "videomae", {IMAGE: videomae(image_processor_type="FooImageProcessor")}),
    ("ViViT's class in VideoMAE", "videomae", {IMAGE: vivit()}),
    ("short and long side", "videomae", {IMAGE: videomae(size={"shortest_edge": 100, "longest_edge": 110})}),
    ("short side, no long one", "videomae", {IMAGE: videomae(size={"shortest_edge": 100, "longest_edge": None})}),
    ("largest height and width", "videomae", {IMAGE: videomae(size={"max_height": 110, "max_width": 130})}),
    ("height and width", "videomae", {IMAGE: videomae(size={"height": 100, "width": 117})}),
    ("height and width as a list", "videomae", {IMAGE: videomae(size=[130, 99])}),
    ("a number that is square", "videomae", {IMAGE: videomae(size=100, default_to_square=True)}),
    ("squash, no crop", "videomae", {IMAGE: videomae(size=[SIDE, SIDE], do_center_crop=False)}),
    ("crop as a list", "videomae", {IMAGE: videomae(crop_size=[SIDE, SIDE])}),
    ("short side of the class", "videomae", {IMAGE: without(videomae(), "size")}),
    ("padding on all sides", "videomae", {IMAGE: videomae(size={"shortest_edge": 50})}),
    ("no resize", "videomae", {IMAGE: videomae(do_resize=False)}),
    ("no resize, a filter of nobody", "videomae", {IMAGE: videomae(do_resize=False, resample=4, size=None)}),
    ("flags that are null", "videomae", {IMAGE: videomae(do_resize=None, do_normalize=None)}),
    ("nearest", "videomae", {IMAGE: videomae(resample=0)}),
    ("nearest, small", "videomae", {IMAGE: videomae(resample=0, size={"height": 58, "width": 64})}),
    ("Lanczos", "videomae", {IMAGE: videomae(resample=1)}),
    ("bicubic", "videomae", {IMAGE: videomae(resample=3)}),
    ("no rescale", "videomae", {IMAGE: videomae(do_rescale=False)}),
    ("no normalisation", "videomae", {IMAGE: videomae(do_normalize=False)}),
    ("bytes", "videomae", {IMAGE: videomae(do_normalize=False, do_rescale=False)}),
    ("another factor", "videomae", {IMAGE: videomae(rescale_factor=1 / 256)}),
    ("one mean and std for all", "videomae", {IMAGE: videomae(image_mean=0.45, image_std=0.225)}),
    ("a list of one", "videomae", {IMAGE: videomae(image_mean=[0.45], image_std=[0.225])}),
    ("whole numbers", "videomae", {IMAGE: videomae(image_mean=[0, 0, 0], image_std=[1, 1, 1])}),
    ("TimeSformer", "timesformer", {IMAGE: timesformer()}),
    ("TimeSformer, no class", "timesformer", {IMAGE: without(timesformer(), "image_processor_type")}),
    ("TimeSformer, no mean", "timesformer", {IMAGE: without(timesformer(), "image_processor_type", "image_mean", "image_std")}),
    ("TimeSformer, old", "timesformer", {IMAGE: OLD}),
    ("TimeSformer, video file", "timesformer", {VIDEO: video_of(timesformer(), "TimesformerVideoProcessor")}),
    ("TimeSformer, image part alone, no mean", "timesformer", {PARTS: {"image_processor": without(timesformer(), "image_mean", "image_std")}}),
    ("ViViT", "vivit", {IMAGE: vivit()}),
    ("ViViT, the class's size and factor", "vivit", {IMAGE: without(vivit(), "size", "rescale_factor", "offset")}),
    ("ViViT, no offset", "vivit", {IMAGE: vivit(offset=False)}),
    ("ViViT, no normalisation", "vivit", {IMAGE: vivit(do_normalize=False)}),
    ("ViViT, no rescale", "vivit", {IMAGE: vivit(do_rescale=False, offset=False)}),
    ("ViViT, other numbers", "vivit", {IMAGE: vivit(rescale_factor=1 / 100, image_mean=[0.3, 0.4, 0.5], image_std=[0.6, 0.7, 0.8])}),
    ("ViViT, video file", "vivit", {VIDEO: video_of(vivit(), "VivitVideoProcessor")}),
    ("ViViT, video file, no rescale", "vivit", {VIDEO: video_of(vivit(do_rescale=False), "VivitVideoProcessor")}),
    *[(f"ViViT, image part alone, filter {n}", "vivit", {PARTS: {"image_processor": vivit(resample=n)}}) for n in range(6)],
    ("ViViT, image part alone, no offset", "vivit", {PARTS: {"image_processor": vivit(offset=False)}}),
    ("ViViT, image part alone, padding", "vivit", {PARTS: {"image_processor": vivit(size={"shortest_edge": 51})}}),
    ("ViViT, image part alone, no rescale", "vivit", {PARTS: {"image_processor": vivit(offset=False, do_rescale=False)}}),
    ("ViViT, image part alone, no normalisation", "vivit", {PARTS: {"image_processor": vivit(do_normalize=False)}}),
    ("ViViT, image part alone, other numbers", "vivit", {PARTS: {"image_processor": vivit(rescale_factor=1 / 100, image_mean=0.3, image_std=0.7)}}),
    ("ViViT, image part alone, nulls", "vivit", {PARTS: {"image_processor": vivit(size=None, image_mean=None, image_std=None, do_resize=None)}}),
    ("ViViT, image part alone, both sides", "vivit", {PARTS: {"image_processor": vivit(size={"shortest_edge": 99, "longest_edge": 100})}}),
    ("ViViT, image part alone, squash", "vivit", {PARTS: {"image_processor": vivit(size=[100, 98])}}),
    ("ViViT, image part alone, tall and narrow", "vivit", {PARTS: {"image_processor": vivit(size=[100, 140])}}),
    ("V-JEPA 2", "vjepa2", {VIDEO: vjepa2()}),
    ("V-JEPA 2, crop as a number", "vjepa2", {VIDEO: vjepa2(crop_size=SIDE)}),
    ("V-JEPA 2, image file", "vjepa2", {IMAGE: without(vjepa2(), "video_processor_type")}),
    ("V-JEPA 2, bicubic", "vjepa2", {VIDEO: vjepa2(resample=3)}),
    ("V-JEPA 2, no crop", "vjepa2", {VIDEO: vjepa2(do_center_crop=False, do_resize=False)}),
    ("VideoMAE's class in V-JEPA 2", "vjepa2", {IMAGE: videomae()}),
    *[(f"as saved, {type(p).__name__}", model, as_saved(p)) for model, p in (
        ("videomae", VideoMAEImageProcessor(size=SIDE, crop_size=SIDE)), ("videomae", VideoMAEVideoProcessor(size=SIDE, crop_size=SIDE)),
        ("timesformer", TimesformerVideoProcessor(size=SIDE, crop_size=SIDE)), ("vivit", VivitImageProcessor(crop_size=SIDE)),
        ("vivit", VivitVideoProcessor(crop_size=SIDE)), ("vjepa2", VJEPA2VideoProcessor(crop_size=SIDE)))],
]

# (name, model type, files, word in the message): transformers refuses too, when the processor is made or when it is used
REFUSED = [
    ("box with torchvision", "videomae", {IMAGE: videomae(resample=4)}, "resample"),
    ("Hamming with torchvision", "videomae", {IMAGE: videomae(resample=5)}, "resample"),
    ("an unknown filter", "videomae", {IMAGE: videomae(resample=9)}, "resample"),
    ("a filter that is null", "videomae", {IMAGE: videomae(resample=None)}, "resample"),
    ("a long side alone", "videomae", {IMAGE: videomae(size={"longest_edge": 100})}, "by longest_edge"),
    ("numbers of pixels", "videomae", {IMAGE: videomae(size={"min_pixels": 100, "max_pixels": 1000})}, "by min_pixels"),
    ("a size of nobody", "videomae", {IMAGE: videomae(size={"shortest_edge": 100, "foo": 3})}, "by foo"),
    ("a size that is null", "videomae", {IMAGE: videomae(size=None)}, "size"),
    ("a crop that is null", "videomae", {IMAGE: videomae(crop_size=None)}, "crop_size"),
    ("a crop with a short side", "videomae", {IMAGE: videomae(crop_size={"shortest_edge": SIDE})}, "crop_size"),
    ("a crop without width", "videomae", {IMAGE: videomae(crop_size={"height": SIDE})}, "crop_size"),
    ("two means", "videomae", {IMAGE: videomae(image_mean=[0.5, 0.5])}, "image_mean"),
    ("a mean that is null", "videomae", {IMAGE: videomae(image_mean=None)}, "image_mean"),
    ("a factor that is null", "videomae", {IMAGE: videomae(rescale_factor=None)}, "rescale_factor"),
    ("another video processor", "videomae", {VIDEO: video_of(videomae(), "FooVideoProcessor")}, "FooVideoProcessor"),
    ("ViViT's image processor: offset without rescale", "vivit", {PARTS: {"image_processor": vivit(do_rescale=False)}}, "offset"),
    ("ViViT's image processor: largest sides", "vivit", {PARTS: {"image_processor": vivit(size={"max_height": 110, "max_width": 130})}}, "by max_height"),
    ("ViViT's image processor: a list of one", "vivit", {PARTS: {"image_processor": vivit(image_mean=[0.5])}}, "image_mean"),
    ("V-JEPA 2: no video processor", "vjepa2", {PARTS: {"image_processor": {"size": SIDE}}}, "video processor"),
    ("V-JEPA 2: a crop that is null", "vjepa2", {VIDEO: vjepa2(crop_size=None)}, "crop_size"),
]

# transformers makes something of these, but not pixels for this model
REFUSED_BY_REEL = [
    ("another model's video processor", "videomae", {IMAGE: videomae(image_processor_type="LlavaOnevisionImageProcessor")}, "LlavaOnevision"),
    ("frames with their channels first", "videomae", {IMAGE: videomae(input_data_format="channels_first")}, "input_data_format"),
    ("a std of zero", "videomae", {IMAGE: videomae(image_std=[0.2, 0, 0.2])}, "image_std"),
    ("a crop of another size", "videomae", {IMAGE: videomae(crop_size=80)}, "image_size"),
]


def write(name, model, files):
    path = c.folder(os.path.join("processor", name))
    for file, content in {"config.json": {"model_type": model}, **files}.items():
        with open(os.path.join(path, file), "w") as f:
            json.dump(content, f)
    return path


def load(kind, path):
    try:
        return kind.from_pretrained(path)
    except (OSError, ValueError, ImportError):
        return None


def pixels(processor, frames):
    """A processor's clip (T, C, H, W), float32."""
    video = "Video" in type(processor).__name__
    out = processor(frames if video else list(frames), return_tensors="pt")
    return next(iter(out.values()))[0].to(torch.float32).numpy()


def run(*args):
    return subprocess.run([PIXELS, *map(str, args)], capture_output=True, text=True)


def reel_pixels(path, model, frames):
    raw, out = os.path.join(c.WORK, "frames.rgb"), os.path.join(c.WORK, "frames.f32")
    frames.tofile(raw)
    r = run(path, model, SIDE, SIDE, "frames", len(frames), *frames.shape[1:3], raw, out)
    if r.returncode != 0:
        raise RuntimeError(r.stderr.strip())
    return np.fromfile(out, np.float32).reshape(len(frames), 3, SIDE, SIDE)


def frames_of(height, width):
    """Noise, edges and ramps: what makes filters overshoot and rounding show."""
    r = np.random.default_rng(height * 1000 + width)
    a = r.integers(0, 256, (FRAMES, height, width, 3), dtype=np.uint8)
    a[0, : height // 2] = np.where(a[0, : height // 2] > 127, 255, 0)
    a[1, height // 3:] = (np.arange(width)[:, None] * [1, 2, 3] // 2) % 256
    return a


def bytes_of(files):
    """The same processor without what comes behind the crop."""
    def plain(d):
        return {**d, "do_rescale": False, "do_normalize": False, **({"offset": False} if "offset" in d or "Vivit" in str(d) else {})}
    files = copy.deepcopy(files)
    for file, content in files.items():
        if file != PARTS:
            files[file] = plain(content)
        else:
            files[file] = {k: plain(v) if isinstance(v, dict) else v for k, v in content.items()}
    return files


def difference(got, want):
    return np.abs(got.astype(np.float64) - want) / np.maximum(1, np.abs(want))


def same_pixels(name, model, files, sizes, exact):
    path = write(name, model, files)
    processor = load(AutoVideoProcessor, path) or load(AutoImageProcessor, path)
    if processor is None:
        return None, "transformers does not load it"
    worst = 0.0
    for height, width in sizes:
        frames = frames_of(height, width)
        want, got = pixels(processor, frames), reel_pixels(path, model, frames)
        if want.shape != got.shape:
            return None, f"shape {got.shape}, expected {want.shape}"
        worst = max(worst, difference(got, want).max())
    return worst <= (0 if exact else BOUND), f"{type(processor).__name__}, {worst:.1e}"


def sizes_for(files):
    """Frames whose size is not changed must fit the model where nothing is cropped."""
    text = json.dumps(files)
    return [(SIDE, SIDE)] if '"do_center_crop": false' in text and '"do_resize": false' in text else SIZES


def check_taken(name, model, files):
    sizes = sizes_for(files)
    exact, told_bytes = same_pixels(name + " bytes", model, bytes_of(files), sizes, True)
    good, told = same_pixels(name, model, files, sizes, False)
    c.report(bool(exact) and bool(good), f"processor, {name}", f"bytes {told_bytes}; normalised {told}")


def unknown_kept(name, path, saved):
    """Every key of every file and part that transformers knows nothing of is in some file of the saved folder."""
    def odd(d):
        return {k: d[k] for k in ("of_somebody", "crop_pct", "pad_size") if k in d}
    wanted, have = {}, {}
    for folder, into in ((path, wanted), (saved, have)):
        for file in (IMAGE, VIDEO, PARTS):
            if os.path.exists(os.path.join(folder, file)):
                into.update(odd(c.read_json(os.path.join(folder, file))))
    return all(have.get(k) == v for k, v in wanted.items())


def check_saved(name, model, files):
    """What reel writes: each kind that transformers made of the folder, it makes of the new one, with the same pixels; nothing but what has
    no pixels changes."""
    path, saved = write(name, model, files), write(name + " saved", model, {})
    r = run(path, model, SIDE, SIDE, "save", saved)
    if r.returncode != 0:
        return c.report(False, f"processor saved, {name}", r.stderr.strip())
    loaded, good = [], True
    for kind in (AutoVideoProcessor, AutoImageProcessor):
        before, after = load(kind, path), load(kind, saved)
        if before is None:
            continue
        if kind is AutoImageProcessor and ("another's" in name or name == "TimeSformer, no mean"):
            continue  # that one has another class, or other defaults, than the video processor; one file cannot say both
        good = good and after is not None
        for height, width in sizes_for(files)[:3] if good else []:
            frames = frames_of(height, width)
            good = good and np.array_equal(pixels(before, frames), pixels(after, frames))
        loaded.append(type(after).__name__)
    again = np.array_equal(reel_pixels(path, model, frames_of(*sizes_for(files)[0])), reel_pixels(saved, model, frames_of(*sizes_for(files)[0])))
    written = ", ".join(sorted(f for f in os.listdir(saved) if f != "config.json"))
    return c.report(good and again and unknown_kept(name, path, saved), f"processor saved, {name}", f"{written}; {', '.join(loaded)}")


def check_refused(name, model, files, word, python_too=True):
    path = write(name, model, files)
    r = run(path, model, SIDE, SIDE)
    why = r.stderr.strip()
    python = "refuses"
    if python_too:
        processor = load(AutoVideoProcessor, path) or load(AutoImageProcessor, path)
        try:
            if processor is not None:
                pixels(processor, frames_of(120, 160))
                python = "takes it"
        except Exception:
            pass
    c.report(r.returncode == 1 and word in why and os.path.basename(next(iter(files))) in why and python == "refuses",
             f"processor refused, {name}", f"{why.split('/')[-1]} (transformers {python})")


COMMAND = [
    ("bicubic, video file", {VIDEO: video_of(videomae(resample=3), "VideoMAEVideoProcessor"), IMAGE: videomae()}),
    ("Lanczos, part", {PARTS: {"video_processor": video_of(videomae(resample=1), "VideoMAEVideoProcessor")}}),
    ("another class", {IMAGE: vivit()}),
]


def check_command():
    """reel predict with a few of them against transformers' pipeline, on one real video; fps, which the pipeline refuses; what a new
    model has beside it."""
    files = sorted(glob.glob(os.path.join(c.SHARED, "data", "clips", "*.avi")))
    frames, why = frames_of_file(files[0]) if files else (None, f"no videos at {c.SHARED}/data")
    if frames is None:
        c.skip("reel predict with several processors", why)
        return
    video = files[0]
    torch.manual_seed(3)
    config = VideoMAEConfig(image_size=SIDE, patch_size=16, num_frames=4, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
                            intermediate_size=96, initializer_range=0.2, num_labels=5)
    picked = np.stack([frames[i * len(frames) // 4] for i in range(4)])
    for name, content in COMMAND:
        path = write("command " + name, "videomae", {})
        VideoMAEForVideoClassification(config).save_pretrained(path)
        for file, j in content.items():
            with open(os.path.join(path, file), "w") as f:
                json.dump(j, f)
        want = {w["label"]: w["score"] for w in pipeline("video-classification", model=path)(picked, top_k=5)}
        got = {g["label"]: g["score"] for g in json.loads(c.reel("predict", "--model", path, "--json", "--autorotate", "false", video))}
        worst = max(abs(got[k] - want[k]) for k in want)
        c.report(worst <= 1e-5, f"reel predict, {name}", f"scores differ by {worst:.1e}")
    with open(os.path.join(path, IMAGE), "w") as f:
        json.dump(vivit(fps=2), f)
    try:
        pipeline("video-classification", model=path)(picked)
        python = "takes it"
    except ValueError:
        python = "refuses"
    r = subprocess.run([c.REEL, "predict", "--model", path, video], capture_output=True, text=True)
    c.report(python == "refuses" and r.returncode != 0 and "fps" in r.stderr, "reel predict, fps", r.stderr.strip().split("/")[-1])
    new = os.path.join(c.WORK, "processor", "new")
    c.reel("model", "new", "--from_config", c.folder(os.path.join("processor", "command " + COMMAND[0][0])), "-o", new)
    c.report(os.path.exists(os.path.join(new, VIDEO)) and load(AutoVideoProcessor, new).resample == 3 and load(AutoImageProcessor, new).resample == 2,
             "a new model has both processors")


def main():
    if not os.path.exists(PIXELS):
        c.report(False, "processors", f"{PIXELS} is not there: build first")
        return
    for case in TAKEN:
        check_taken(*case)
    for case in TAKEN:
        check_saved(*case)
    for case in REFUSED:
        check_refused(*case)
    for case in REFUSED_BY_REEL:
        check_refused(*case, python_too=False)
    check_command()


if __name__ == "__main__":
    main()
    c.finish()
