#!/usr/bin/env python3
"""The seeds of the fuzz targets: one small file a feature of each format, and a few broken ones. Standard library only.

    python3 make_seeds.py [OUTDIR]      writes OUTDIR/TARGET/NAME (tests/fuzz/seeds); what a fuzzer found is added by hand
"""
import gzip
import io
import json
import lzma
import os
import struct
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "seeds")
GOLDEN = os.path.join(HERE, "..", "golden")


def put(target, name, data):
    os.makedirs(os.path.join(OUT, target), exist_ok=True)
    with open(os.path.join(OUT, target, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else json.dumps(data).encode() if not isinstance(data, str) else data.encode())


def safetensors(header, data=b"", n=None):
    h = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    h += b" " * (-len(h) % 8)
    return struct.pack("<Q", len(h) if n is None else n) + h + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    two = {"__metadata__": {"format": "pt"}, "a.weight": entry("F32", [2, 2], 0, 16), "b": entry("BF16", [3], 16, 22)}
    put("safetensors", "two", safetensors(two, bytes(22)))
    put("safetensors", "none", safetensors({}))
    put("safetensors", "scalar", safetensors({"s": entry("I64", [], 0, 8)}, bytes(8)))
    put("safetensors", "empty_tensor", safetensors({"e": entry("F16", [0, 7], 0, 0)}))
    put("safetensors", "escapes", safetensors(b'{"\\u00e9\\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":[[{}]]}}', b"x"))
    put("safetensors", "overlap", safetensors({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 2, 6)}, bytes(6)))
    put("safetensors", "overflow", safetensors({"a": entry("F32", [2**62, 8], 0, 4)}, bytes(4)))
    put("safetensors", "length", safetensors(two, bytes(22), 2**63))
    put("safetensors", "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    put("safetensors", "complex", safetensors({"c": entry("C64", [2], 0, 16), "e": entry("F8_E8M0", [3], 16, 19)}, bytes(19)))
    put("safetensors", "cut", safetensors(two, bytes(22))[:40])


def arguments(storage, numel, more=b""):
    """Of a tensor of two by three, a view of a storage of 24 bytes (the second one of the fuzz target's zip)."""
    return (b"((X\x07\0\0\0storagec" + storage + b"\nX\1\0\0\0001X\3\0\0\0cpuK%ctQ" % numel +
            b"K\0K\2K\3\x86K\3K\1\x86\x89}" + more + b"t")


def state(value, protocol=2):
    return b"\x80%c}X\1\0\0\0w" % protocol + value + b"s."


FLOAT, BYTES = b"torch\nFloatStorage", b"torch.storage\nUntypedStorage"
V2, V3 = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n"
PICKLES = {
    "protocol3": state(V2 + arguments(FLOAT, 6) + b"R", 3),
    "protocol4": b"\x80\x04\x95\x02\0\0\0\0\0\0\0}.",
    "uint16": state(V3 + arguments(BYTES, 24, b"ctorch\nuint16\n") + b"R"),
    "float8": state(V3 + arguments(BYTES, 24, b"ctorch\nfloat8_e4m3fn\n") + b"R"),
    "complex32": state(V3 + arguments(BYTES, 24, b"ctorch\ncomplex32\n}") + b"R"),
    "complex64": state(V2 + arguments(b"torch\nComplexFloatStorage", 3) + b"R"),
    "negative": state(V2 + arguments(FLOAT, 6, b"}X\3\0\0\0neg\x88s") + b"R"),
    "attribute": state(b"ctorch._utils\n_rebuild_parameter_with_state\n(" + V2 + arguments(FLOAT, 6) + b"R\x88}}X\1\0\0\0aK\1stR"),
    "from_type": state(b"ctorch._tensor\n_rebuild_from_type_v2\n(" + V2 + b"ctorch\nTensor\n" + arguments(FLOAT, 6) + b"}tR"),
    "dict": b"\x80\x02}.",
    "system": b"\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.",
    "inst": b"\x80\x02(X\x02\0\0\0idiposix\nsystem\n.",
    "marks": b"\x80\x02" + b"(" * 70 + b"t" * 70 + b".",
    "cycle": b"\x80\x02}q\0X\1\0\0\0ah\0s.",
    "laughs": b"\x80\x02]q\0](h\0h\0eq\1](h\1h\1eq\2.",
    "long": b"\x80\x02\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "memo": b"\x80\x02Nq\0q\1h\0r\2\0\0\0j\2\0\0\0\x87.",
}


def make_torch():
    forms = os.path.join(GOLDEN, "forms")
    for name in sorted(os.listdir(forms)):
        with open(os.path.join(forms, name), "rb") as f:
            data = f.read()
        if name.endswith(".bin"):
            put("torch", name, data)
        if zipfile.is_zipfile(io.BytesIO(data)):
            z = zipfile.ZipFile(io.BytesIO(data))
            put("pickle", name, z.read(next(n for n in z.namelist() if n.endswith("data.pkl"))))
    for name, data in PICKLES.items():
        put("pickle", name, data)
    for protocol in (3, 4):
        magic = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
        put("torch", f"legacy{protocol}", b"\x80%c" % protocol + (b"\x95\x0d\0\0\0\0\0\0\0" if protocol > 3 else b"") + magic)
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED), ("script", zipfile.ZIP_DEFLATED)):
        b = io.BytesIO()
        with zipfile.ZipFile(b, "w", method) as z:
            z.writestr(zipfile.ZipInfo("a/data.pkl"), PICKLES["dict"], method if name != "script" else zipfile.ZIP_STORED)
            if name == "script":
                z.writestr(zipfile.ZipInfo("a/code/m.py"), b"def forward(self): pass\n" * 4, method)
            with z.open(zipfile.ZipInfo("a/data/0"), "w", force_zip64=True) as f:
                f.write(bytes(24))
        put("torch", name, b.getvalue())


def make_config():
    with open(os.path.join(GOLDEN, "config.json")) as f:
        whole = json.load(f)
    put("config", "whole", whole)
    put("config", "least", {"model_type": "videomae"})
    put("config", "old", {**whole, "qkv_bias": True, "torch_dtype": "float32", "problem_type": None, "num_labels": 4, "image_size": [16, 24]})
    put("config", "numbers", '{"model_type": "videomae", "hidden_size": 16.0, "layer_norm_eps": 1e-400, "num_frames": 1e3, "image_size": 9223372036854775808}')
    put("config", "labels", '{"model_type": "videomae", "id2label": {"0": "a\\u001b", "01": "b", "-1": 3}, "label2id": []}')
    put("config", "other", {"model_type": "timesformer"})
    put("config", "deep", b'{"a":' + b"[" * 70)


def make_processor():
    p = {"image_processor_type": "VideoMAEImageProcessor", "do_resize": True, "size": {"shortest_edge": 16}, "resample": 2,
         "do_center_crop": True, "crop_size": {"height": 16, "width": 16}, "do_rescale": True, "rescale_factor": 1 / 255,
         "do_normalize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    put("processor", "whole", p)
    put("processor", "none", {})
    put("processor", "old", {**p, "feature_extractor_type": "VideoMAEFeatureExtractor", "size": 16, "crop_size": 16, "image_mean": 0.5})
    put("processor", "video", {**p, "video_processor_type": "VideoMAEVideoProcessor", "processor_class": None, "return_metadata": False})
    put("processor", "squash", {**p, "size": {"height": 16, "width": 16}, "do_center_crop": False, "resample": 3})
    put("processor", "zero", {**p, "image_std": [0, 1, 1], "rescale_factor": 0})
    put("processor", "nested", {"image_processor": p, "video_processor": p})


def tar(members):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=tarfile.GNU_FORMAT) as t:
        for name, kind, link, data in members:
            i = tarfile.TarInfo(name)
            i.type, i.linkname, i.size = kind, link, len(data)
            t.addfile(i, io.BytesIO(data))
    return b.getvalue()


def make_archive():
    R, S, L = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    good = [("set/train/jump/a.avi", R, "", b"jump" * 4), ("set/train/run", tarfile.DIRTYPE, "", b"")]
    put("archive", "good.tar", tar(good))
    put("archive", "good.tar.gz", gzip.compress(tar(good), mtime=0))
    put("archive", "good.tar.xz", lzma.compress(tar(good)))
    put("archive", "up.tar.gz", gzip.compress(tar([("../up", R, "", b"x")]), mtime=0))
    put("archive", "absolute.tar.gz", gzip.compress(tar([("/tmp/reel_fuzz_absolute", R, "", b"x")]), mtime=0))
    put("archive", "links.tar.gz", gzip.compress(tar([("d", S, "/tmp", b""), ("d/x", R, "", b"x"), ("h", L, "/etc/passwd", b"")]), mtime=0))
    put("archive", "hard.tar.gz", gzip.compress(tar([("h", L, "/etc/passwd", b"")]), mtime=0))
    put("archive", "special.tar.gz", gzip.compress(tar([("p", tarfile.FIFOTYPE, "", b"")]), mtime=0))
    put("archive", "twice.tar.gz", gzip.compress(tar([good[0], good[0]]), mtime=0))
    put("archive", "file_as_folder.tar.gz", gzip.compress(tar([("a", R, "", b"x"), ("a/b", R, "", b"x")]), mtime=0))
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        b = io.BytesIO()
        with zipfile.ZipFile(b, "w", method) as z:
            z.writestr(zipfile.ZipInfo("set/train/jump/a.avi"), b"jump" * 40, method)
            link = zipfile.ZipInfo("l.avi")
            link.external_attr = 0o120777 << 16
            if method == zipfile.ZIP_DEFLATED:
                z.writestr(link, b"/etc/passwd")
        put("archive", name, b.getvalue())
    put("archive", "cut.tar.gz", gzip.compress(tar(good), mtime=0)[:-20])
    put("archive", "text", b"not an archive\n")


for make in (make_safetensors, make_torch, make_config, make_processor, make_archive):
    make()
