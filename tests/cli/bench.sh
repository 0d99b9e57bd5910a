#!/bin/sh
# reel bench: every figure there, none for what the processor has no instructions for, nothing left behind. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
json_is() {  # json_is WHAT EXPRESSION: a Python expression over the value v, its rows p by precision
    if command -v python3 >/dev/null 2>&1; then
        check "$1" python3 -c 'import json, sys
v = json.load(open(sys.argv[1], encoding="utf-8"))
p = {r["precision"]: r for r in v["precisions"]}
sys.exit(not eval(sys.argv[2]))' "$T/out" "$2"
    else
        skip "$1" "no python3"
    fi
}
nothing_left() { [ -z "$(find "$XDG_CACHE_HOME" -mindepth 2 2>/dev/null)" ]; }
measured='all(r[k] > 0 for k in ("product_gops", "forward_seconds", "forward_gops", "product_share"))'
S="--seconds 0.02"

run bench --from_config "$T/config.json" $S
check "of a config: works" worked
check "the processor is told" printed '^machine  *[A-Za-z]'
check "the model is told" printed '^model  *VideoMAE, .* parameters, 4 frames of 32x32'
check "a line for float32" printed '^float32  *[A-Za-z].*[0-9] ms'
check "decoding is told" printed 'read [0-9]* clips/s'
check "no wider than a terminal" [ "$(wc -L <"$T/out")" -le 100 ]
check "nothing is left in the cache" nothing_left
run bench --model "$T/model" $S --json
check "of a model: works" worked
json_is "three precisions, in order" '[r["precision"] for r in v["precisions"]] == ["float32", "bfloat16", "int8"]'
json_is "what is used is measured, the rest is not" 'all(('"$measured"') if r["used"] == r["precision"] else r["forward_seconds"] is None and r["why"] for r in v["precisions"])'
json_is "training steps of float32" 'p["float32"]["step_seconds"] > 0 and p["float32"]["step_memory"] > 1e6 and p["int8"]["step_seconds"] is None'
json_is "the rate is work over time" 'abs(p["float32"]["forward_gops"] * p["float32"]["forward_seconds"] / v["gflop_forward"] - 1) < 1e-9'
json_is "decoding" 'v["clip_seconds"] > 0 and v["clips_per_second"] > 0 and v["loader_threads"] >= 1'
run bench --model "$T/model" $S --json --isa c --batch_size 3
check "plain C: works" worked
json_is "plain C: float32 for all, with a reason" 'all(r["used"] == "float32" for r in v["precisions"]) and p["bfloat16"]["why"] and p["int8"]["why"] and p["float32"]["path"] == "plain C" and v["step_clips"] == 3'
run bench --model "$T/model" $S --isa c
check "plain C: the reasons are told" [ "$(grep -c '^\(bfloat16\|int8\) .*float32 is used' "$T/out")" -eq 2 ]
run bench --model "$T/model" $S --json --isa avx2
if worked; then
    json_is "AVX2: int8 is measured, and its path told" 'p["int8"]["used"] == "int8" and p["int8"]["path"] == "AVX2 widened" and p["int8"]["product_gops"] > 0 and p["bfloat16"]["used"] == "float32"'
else
    skip "bench with AVX2" "no AVX2"
fi
fails 1 "no such" "no model" bench --model "$T/nowhere" $S
fails 2 "exclude" "two models" bench --model "$T/model" --from_config "$T/config.json"
check "nothing is left after failures" nothing_left
HOME='' XDG_CACHE_HOME='' run bench --model "$T/model" $S -q
check "without a cache folder: works" worked
finish
