#!/bin/sh
# reel model convert: every number the nearest of the new type, every name kept, whole or not there. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
if ! command -v python3 >/dev/null 2>&1; then
    echo "1..0 # SKIP no python3 to judge numbers with"
    exit 0
fi

# A file of safetensors in and out, and rounding by exact fractions: nothing of reel's.
cat >"$T/judge.py" <<'END'
import json, os, random, struct, sys, zipfile
from fractions import Fraction

def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in header.items()}

def write(path, tensors):
    header, blob = {}, b""
    for k, (dtype, shape, raw) in tensors.items():
        header[k] = {"dtype": dtype, "shape": shape, "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + blob)

def folder(path):
    out = {}
    for name in os.listdir(path):
        if name.endswith(".safetensors"):
            out.update(read(os.path.join(path, name)))
    return out

def floats(dtype, raw):
    if dtype == "F32":
        return list(struct.unpack("<%df" % (len(raw) // 4), raw))
    if dtype == "F64":
        return [struct.unpack("<f", struct.pack("<f", x))[0] for x in struct.unpack("<%dd" % (len(raw) // 8), raw)]
    if dtype == "F16":
        return list(struct.unpack("<%de" % (len(raw) // 2), raw))
    if dtype == "F8_E5M2":
        return list(struct.unpack("<%de" % len(raw), b"".join(b"\0" + raw[i:i + 1] for i in range(len(raw)))))
    if dtype == "F8_E4M3":
        return [(-1) ** (b >> 7) * (b % 8 * 2.0 ** -9 if b >> 3 & 15 == 0 else (8 + b % 8) * 2.0 ** ((b >> 3 & 15) - 10)) for b in raw]
    return [struct.unpack("<f", struct.pack("<HH", 0, h))[0] for h in struct.unpack("<%dH" % (len(raw) // 2), raw)]

def bfloat(x):  # the nearer of the two neighbours, by fractions; the even one of equals
    low = struct.unpack("<I", struct.pack("<f", x))[0] >> 16
    at = lambda h: Fraction(struct.unpack("<f", struct.pack("<I", h << 16))[0])
    if at(low) == Fraction(x):
        return low
    down, up = abs(Fraction(x) - at(low)), abs(at(low + 1) - Fraction(x))
    return low + (up < down or (up == down and low % 2))

def converted(dtype, raw, to):
    if dtype[0] != "F" and dtype != "BF16":
        return dtype, raw
    x = floats(dtype, raw)
    if to == "F16":
        return to, struct.pack("<%de" % len(x), *x)
    if to == "BF16":
        return to, struct.pack("<%dH" % len(x), *map(bfloat, x))
    return to, struct.pack("<%df" % len(x), *x)

def hard(path):  # numbers of every size, ties, subnormals; another type; a decoder; a counter
    random.seed(7)
    t = read(path)
    name = "videomae.encoder.layer.0.intermediate.dense.weight"
    dtype, shape, raw = t[name]
    n = shape[0] * shape[1]
    x = [random.gauss(0, 1) * 10.0 ** random.randint(-9, 4) for _ in range(n)]
    x = [max(-65519.9, min(65519.9, v)) for v in x]
    x[:12] = [65519.0, -65519.99, 2**-25, 2**-25 * 1.0001, 3 * 2**-25, 1 + 2**-11, 1 + 3 * 2**-11, 2**-14 * (1 - 2**-12), -0.0,
              1 + 2**-8, 1 + 3 * 2**-8, 1e-40]
    t[name] = ("F32", shape, struct.pack("<%df" % n, *x))
    name = "classifier.weight"
    t[name] = ("F64", t[name][1], struct.pack("<%dd" % (len(t[name][2]) // 4), *[random.gauss(0, 1) for _ in range(len(t[name][2]) // 4)]))
    t["decoder.norm.weight"] = ("F32", [5], struct.pack("<5f", 1, 2, 3, 4, 5.1))
    t["position_ids"] = ("I64", [3], struct.pack("<3q", 1, 2, 3))
    write(path, t)

def typed(path, name, dtype, byte):  # a tensor of another type, its numbers all bytes that are finite
    t = read(path)
    shape = t[name][1]
    n = 1
    for d in shape:
        n *= d
    size = {"F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "C64": 8}[dtype]
    t[name] = (dtype, shape, bytes((i + byte) % 256 if (i + byte) % 128 < 123 else 0 for i in range(n * size)))
    write(path, t)

def lost(path, name):  # the index has it, no shard does
    t = read(os.path.join(path, "model.safetensors"))
    os.remove(os.path.join(path, "model.safetensors"))
    os.mkdir(os.path.join(path, "in"))
    where = {k: "in/one.safetensors" for k in t}
    where["decoder.extra.weight"] = "in/one.safetensors"
    write(os.path.join(path, "in", "one.safetensors"), {k: t[k] for k in t if k != name})
    write(os.path.join(path, "source"), {k: t[k] for k in t if k != name})
    json.dump({"metadata": {}, "weight_map": where}, open(os.path.join(path, "model.safetensors.index.json"), "w"))

def shards(path):
    t = read(os.path.join(path, "model.safetensors"))
    names = sorted(t)
    where = {k: "model-0000%d-of-00002.safetensors" % (1 + i % 2) for i, k in enumerate(names)}
    for f in set(where.values()):
        write(os.path.join(path, f), {k: t[k] for k in names if where[k] == f})
    json.dump({"metadata": {}, "weight_map": where}, open(os.path.join(path, "model.safetensors.index.json"), "w"))
    os.remove(os.path.join(path, "model.safetensors"))

# pytorch_model.bin as torch.save writes it: stored records, and a pickle of views of them.
CLASS = {"F32": "FloatStorage", "F64": "DoubleStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "I64": "LongStorage"}
WIDTH = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8}

def put_bin(path, tensors):
    text = lambda s: b"X" + struct.pack("<I", len(s.encode())) + s.encode()
    number = lambda n: b"J" + struct.pack("<i", n)
    tuple_ = lambda items: b"(" + b"".join(items) + b"t"
    records, state = {}, b"\x80\x02}("
    for k, (dtype, shape, raw) in tensors.items():
        strides = [1]
        for d in reversed(shape[1:]):
            strides.insert(0, strides[0] * d)
        key, numel = str(len(records)), len(raw) // WIDTH[dtype]
        records[key] = raw
        storage = tuple_([text("storage"), b"ctorch\n" + CLASS[dtype].encode() + b"\n", text(key), text("cpu"), number(numel)]) + b"Q"
        state += text(k) + b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_(
            [storage, number(0), tuple_(map(number, shape)), tuple_(map(number, strides[:len(shape)])), b"\x89", b"}"]) + b"R"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("any name/data.pkl", state + b"u.")
        for key, raw in records.items():
            z.writestr("any name/data/" + key, raw)

def bins(path, many):
    t = read(os.path.join(path, "model.safetensors"))
    where = {k: "pytorch_model-0000%d-of-00002.bin" % (1 + i % 2) if many else "pytorch_model.bin" for i, k in enumerate(sorted(t))}
    for f in set(where.values()):
        put_bin(os.path.join(path, f), {k: t[k] for k in t if where[k] == f})
    if many:
        json.dump({"weight_map": where}, open(os.path.join(path, "pytorch_model.bin.index.json"), "w"))
    write(os.path.join(path, "source"), t)
    os.remove(os.path.join(path, "model.safetensors"))

def compare(a, b, to):
    x, y = read(os.path.join(a, "source")) if os.path.exists(os.path.join(a, "source")) else folder(a), folder(b)
    return x.keys() == y.keys() and all(y[k][1] == x[k][1] and (y[k][0], y[k][2]) == converted(x[k][0], x[k][2], to) for k in x)

def large(path, value):
    t = read(path)
    dtype, shape, raw = t["fc_norm.bias"]
    t["fc_norm.bias"] = (dtype, shape, struct.pack("<f", value) + raw[4:])
    write(path, t)

if sys.argv[1] == "compare":
    sys.exit(not compare(*sys.argv[2:]))
if sys.argv[1] == "large":
    large(sys.argv[2], float(sys.argv[3]))
elif sys.argv[1] == "typed":
    typed(*sys.argv[2:5], int(sys.argv[5]))
elif sys.argv[1] == "lost":
    lost(*sys.argv[2:4])
elif sys.argv[1] == "hard":
    hard(sys.argv[2])
elif sys.argv[1] == "bins":
    bins(sys.argv[2], sys.argv[3] == "many")
else:
    shards(sys.argv[2])
END
judge() { python3 "$T/judge.py" "$@"; }
config_says() {
    python3 -c 'import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:3])
a.pop("torch_dtype", None); a["dtype"] = sys.argv[3]
sys.exit(a != b)' "$1/config.json" "$2/config.json" "$3"
}

cp -r "$T/model" "$T/hard"
judge hard "$T/hard/model.safetensors"
cp -r "$T/hard" "$T/shards"
judge shards "$T/shards"
sed 's/"dtype": "float32"/"torch_dtype": "float32"/' "$T/shards/config.json" >"$T/c" && mv "$T/c" "$T/shards/config.json"
cp -r "$T/hard" "$T/bin"
judge bins "$T/bin" one
cp -r "$T/hard" "$T/bins"
judge bins "$T/bins" many
mkdir "$T/out.d"
for from in model hard shards bin bins; do
    for d in "float32 F32 float32" "bf16 BF16 bfloat16" "fp16 F16 float16"; do
        set -- $d
        to=$T/out.d/$from-$1
        run model convert --model "$T/$from" --dtype "$1" -o "$to"
        check "$from to $1 works" worked
        check "$from to $1: every number is the nearest" judge compare "$T/$from" "$to" "$2"
        check "$from to $1: config.json is the same but for its dtype" config_says "$T/$from" "$to" "$3"
        check "$from to $1: the processor is the same" cmp -s "$T/$from/preprocessor_config.json" "$to/preprocessor_config.json"
        check "$from to $1: nothing else is there" [ "$(ls -A "$to" | wc -l)" -eq 3 ]
        run model info "$to"
        check "$from to $1: reel reads it" worked
    done
done
run model info "$T/bin"
check "model info names the file of the weights" printed '^weights  pytorch_model.bin: '
check "the judge tells types apart" [ "$(judge compare "$T/model" "$T/out.d/model-bf16" F16; echo $?)" -eq 1 ]
run model convert "$T/out.d/model-bf16" --dtype fp32 -o "$T/back"
check "back to float32 works" worked
check "back to float32 is exact" judge compare "$T/out.d/model-bf16" "$T/back" F32
run model convert "$T/model" -o "$T/plain" --json
check "bf16 is the default" judge compare "$T/model" "$T/plain" BF16
check "--json names the folder" printed '^{"output": '

# Types of eight bits are widened; the result is what it says. A parameter of another type is refused by name, what is none stays.
cp -r "$T/model" "$T/eight"
judge typed "$T/eight/model.safetensors" videomae.encoder.layer.0.intermediate.dense.weight F8_E4M3 0
judge typed "$T/eight/model.safetensors" videomae.encoder.layer.0.output.dense.weight F8_E5M2 0
for d in "float32 F32" "bf16 BF16" "fp16 F16"; do
    set -- $d
    run model convert "$T/eight" --dtype "$1" -o "$T/eight-$1"
    check "F8 to $1 works" worked
    check "F8 to $1: every number is the nearest" judge compare "$T/eight" "$T/eight-$1" "$2"
    run model info "$T/eight-$1"
    check "F8 to $1: reel reads it" worked
done
cp -r "$T/model" "$T/whole"
judge typed "$T/whole/model.safetensors" videomae.encoder.layer.0.output.dense.weight I8 0
fails 1 "layer.0.output.dense.weight has dtype I8" "a parameter of whole numbers" model convert "$T/whole" --dtype float32 -o "$T/none"
cp -r "$T/hard" "$T/kept"
judge typed "$T/kept/model.safetensors" decoder.norm.weight C64 0
run model convert "$T/kept" --dtype float32 -o "$T/kept32"
check "complex numbers that are no parameter stay" judge compare "$T/kept" "$T/kept32" F32
cp -r "$T/model" "$T/quantized"
sed 's/^{/{"quantization_config": {"quant_method": "fp8"},/' "$T/quantized/config.json" >"$T/c" && mv "$T/c" "$T/quantized/config.json"
fails 1 "quantized (quantization_config: fp8)" "quantized weights" model convert "$T/quantized" -o "$T/none"

# Shards below the folder; names of the index that no shard has.
cp -r "$T/hard" "$T/below"
judge lost "$T/below" none
run model convert "$T/below" --dtype float32 -o "$T/below32"
check "shards in a folder of their own" judge compare "$T/below" "$T/below32" F32
check "a name that no shard has is told" said "decoder.extra.weight"
cp -r "$T/model" "$T/lost"
judge lost "$T/lost" classifier.bias
fails 1 "names tensor classifier.bias, which none of its shards has" "a parameter that no shard has" model convert "$T/lost" -o "$T/none"
fails 1 "names tensor classifier.bias, which none of its shards has" "and no model of it" model info "$T/lost"

# A pointer in place of a file.
cp -r "$T/model" "$T/pointer"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >"$T/pointer/model.safetensors"
fails 1 "model.safetensors: is a Git LFS pointer" "a pointer in place of weights" model info "$T/pointer"
cp "$T/pointer/model.safetensors" "$T/pointer/config.json"
fails 1 "config.json: is a Git LFS pointer" "a pointer in place of config.json" model info "$T/pointer"

# A model without its head keeps being one.
cp -r "$T/model" "$T/headless"
python3 - "$T" <<'END'
import os, sys
sys.argv, top = ["", "shards", "/nowhere"], sys.argv[1]
source = open(top + "/judge.py").read().split("if sys.argv[1] ==")[0]
exec(source)
path = top + "/headless/model.safetensors"
write(path, {k: v for k, v in read(path).items() if not k.startswith(("classifier", "fc_norm"))})
END
run model convert "$T/headless" -o "$T/headless16"
check "without a head: works" worked
check "without a head: none is made up" judge compare "$T/headless" "$T/headless16" BF16

# What is refused leaves nothing.
cp -r "$T/model" "$T/large"
judge large "$T/large/model.safetensors" 65520
fails 1 "fc_norm.bias holds 65520, which is too large for float16" "a number beyond float16 names the tensor" model convert "$T/large" --dtype fp16 -o "$T/none"
run model convert "$T/large" --dtype bf16 -o "$T/fits"
check "bf16 holds it" worked
judge large "$T/large/model.safetensors" 3.3961776e38
fails 1 "fc_norm.bias.*bfloat16" "a number beyond bfloat16 names the tensor" model convert "$T/large" -o "$T/none"
judge large "$T/large/model.safetensors" inf
fails 1 "fc_norm.bias.*finite" "infinity names the tensor" model convert "$T/large" -o "$T/none"
check "nothing is left of what was refused" [ -z "$(find "$T" -maxdepth 1 -name '*none*')" ]
mkdir "$T/full" "$T/void"
: >"$T/full/mine"
fails 1 "not empty" "a folder that holds something" model convert "$T/model" -o "$T/full"
check "and it is as it was" [ "$(ls -A "$T/full")" = mine ]
fails 1 "not empty" "its own folder" model convert "$T/model" -o "$T/model"
fails 1 "not a folder" "a file" model convert "$T/model" -o "$T/full/mine"
run model convert "$T/model" -o "$T/void/"
check "an empty folder is taken" judge compare "$T/model" "$T/void" BF16
fails 1 "no such" "no model" model convert "$T/nowhere" -o "$T/none"
fails 2 "not one of" "an unknown type" model convert "$T/model" --dtype int8 -o "$T/none"
fails 2 "needs --output" "no place" model convert "$T/model"
(
    ulimit -f 8
    "$REEL" model convert "$T/model" --dtype float32 -o "$T/none" >"$T/out" 2>"$T/err"
    echo $? >"$T/small.code"
)
code=$(cat "$T/small.code") command="model convert with small files only"
check "a full disk is told" refused 1 "safetensors"
check "a full disk leaves nothing" [ -z "$(find "$T" -maxdepth 1 -name '*none*')" ]
finish
