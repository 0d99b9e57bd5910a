#!/bin/sh
# --dtype, --bf16, --gradient_checkpointing, train --plan: what they do, what they say, what they leave alone. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
tiny_data
fit_model
M="--model $T/model"
clip=$(ls "$T"/data/test/*/* | head -n 1)
json_is() {  # json_is WHAT FILE EXPRESSION: a Python expression over the value v
    if command -v python3 >/dev/null 2>&1; then
        check "$1" python3 -c 'import json, sys
v = json.loads(open(sys.argv[1], encoding="utf-8").read())
sys.exit(not eval(sys.argv[2]))' "$2" "$3"
    else
        skip "$1" "no python3"
    fi
}
warned_once() { [ "$(grep -c '^warning ' "$T/err")" -eq 1 ] && said '^warning .*processor.* is used'; }
silent() { [ ! -s "$T/err" ]; }

# Words.
for d in float32 fp32 bf16 bfloat16 int8; do
    run predict $M "$clip" --dtype $d --json
    check "predict --dtype $d works" worked
    cp "$T/out" "$T/$d.json"
done
check "fp32 is float32" cmp -s "$T/float32.json" "$T/fp32.json"
check "bfloat16 is bf16" cmp -s "$T/bf16.json" "$T/bfloat16.json"
for d in bf16 int8; do
    if command -v python3 >/dev/null 2>&1; then
        check "$d is near float32" python3 -c 'import json, sys
a, b = ({x["label"]: x["score"] for x in json.load(open(f))} for f in sys.argv[1:])
sys.exit(max(abs(a[k] - b[k]) for k in a) > 0.02)' "$T/float32.json" "$T/$d.json"
    else
        skip "$d is near float32" "no python3"
    fi
done
for d in float16 FLOAT32 '' half; do
    fails 2 "not one of float32" "--dtype '$d' is refused" predict $M "$clip" --dtype "$d"
done

# A processor without the instructions: said once, and float32's own numbers.
run predict $M "$clip" --json --isa c
check "float32 in plain C says nothing" silent
cp "$T/out" "$T/plain.json"
for d in bf16 int8; do
    run predict $M "$clip" "$clip" --dtype $d --isa c -q --json
    check "-q keeps quiet about $d" silent
    run predict $M "$clip" --dtype $d --json --isa c
    check "predict --dtype $d without instructions: told once" warned_once
    check "predict --dtype $d without instructions: float32's scores" cmp -s "$T/out" "$T/plain.json"
    run evaluate --model "$T/fit" --data "$T/data" --dtype $d --isa c
    check "evaluate --dtype $d without instructions: told once" warned_once
done
run predict $M "$clip" --json --isa avx2
if worked; then  # AVX2 alone is enough for int8
    cp "$T/out" "$T/avx2.json"
    run predict $M "$clip" --dtype int8 --isa avx2 --json
    check "int8 with AVX2 says nothing" silent
    differs() { ! cmp -s "$T/out" "$T/avx2.json"; }
    check "int8 with AVX2 is not float32" differs
    cp "$T/out" "$T/avx2.int8.json"
    run predict $M "$clip" --dtype int8 --isa avx2 --json --threads 1
    check "int8 with AVX2: any number of threads" cmp -s "$T/out" "$T/avx2.int8.json"
    run predict $M "$clip" -v --isa avx2 --dtype int8
    check "-v names int8 with AVX2" said '^machine .*, int8$'
    run predict $M "$clip" --dtype bf16 --isa avx2
    check "bf16 with AVX2: told once" warned_once
else
    skip "int8 with AVX2" "no AVX2"
fi
run data pack "$T/data" $M --split val -o "$T/val.safetensors"
run forward $M --input "$T/val.safetensors" -o "$T/plain.safetensors" --isa c
run forward $M --input "$T/val.safetensors" -o "$T/low.safetensors" --isa c --dtype bf16
check "forward --dtype bf16 without instructions: told once" warned_once
check "forward --dtype bf16 without instructions: float32's logits" cmp -s "$T/plain.safetensors" "$T/low.safetensors"
run predict $M "$clip" -v --isa c
check "-v names the numbers" said '^machine .*, float32$'
run predict $M "$clip" -v --isa c --dtype int8
check "-v names the numbers that are used" said '^machine .*, float32$'

# Training.
short="$TRAIN --max_steps 2 --save_strategy steps --save_steps 1 --eval_strategy no --load_best_model_at_end false"
run train $short --isa c --output_dir "$T/plain"
check "train in float32 with --isa c" worked
check "no gain is promised where there is none" said '^machine .*, fp32$'
run train $short --isa c --bf16 --output_dir "$T/low"
check "train --bf16 without instructions: works" worked
check "train --bf16 without instructions: told once" warned_once
check "train --bf16 without instructions: float32's weights" cmp -s "$T/plain/model.safetensors" "$T/low/model.safetensors"
json_is "the wish is kept with the checkpoint" "$T/low/checkpoint-1/reel_state.json" 'v["about"]["options"]["bf16"] == "true" and v["about"]["precision"] == "float32"'
rm -r "$T/low/checkpoint-2"
fails 1 "bf16" "a run does not change its numbers" train --resume_from_checkpoint "$T/low/checkpoint-1" --isa c --bf16 false
run train --resume_from_checkpoint "$T/low/checkpoint-1" --isa c
check "a resumed run works" worked
check "a resumed run keeps the wish" said '^warning .*--bf16'
run train $short --isa c --gradient_checkpointing --output_dir "$T/walked"
check "train --gradient_checkpointing works" worked
check "the same weights with it" cmp -s "$T/plain/model.safetensors" "$T/walked/model.safetensors"
rm -r "$T/walked/checkpoint-2"
run train --resume_from_checkpoint "$T/walked/checkpoint-1" --isa c --gradient_checkpointing false
check "a run may go on without it" worked
check "the same weights again" cmp -s "$T/plain/model.safetensors" "$T/walked/model.safetensors"
run train $short --bf16 --output_dir "$T/half"
check "train --bf16 works on this machine" worked
run train $short --bf16 --bf16_full_eval --output_dir "$T/none" --plan
check "--bf16_full_eval: a note" said '^note .*bf16_full_eval.*--bf16'
fails 2 "bf16" "fp16 is pointed to bf16" train $short --fp16 --output_dir "$T/none"

# The plan.
run train $short --plan
check "train --plan needs no output folder" worked
check "train --plan tells a total" printed '^  total .* of '
check "train --plan tells the steps" printed '^steps  *2 of 4 clips'
check "train --plan: it fits" printed '^This run fits'
run train $short --plan --output_dir "$T/planned"
check "train --plan makes no folder" [ ! -e "$T/planned" ]
find "$T/plain" -type f | sort >"$T/before"
run train $short --plan --output_dir "$T/plain" --overwrite_output_dir
check "train --plan works over a run" worked
find "$T/plain" -type f | sort >"$T/after"
check "train --plan leaves a run alone" cmp -s "$T/before" "$T/after"
fails 1 "finished run" "train --plan says what train would refuse" train $short --plan --output_dir "$T/plain"
run train $TRAIN --num_train_epochs 3 --save_total_limit 1 --plan --json
check "train --plan --json works" worked
json_is "train --plan --json: parts make the total" "$T/out" 'v["memory"]["total"] == sum(b for k, b in v["memory"].items() if k not in ("total", "room")) and v["fits"] and v["advice"] is None'
json_is "train --plan --json: steps and epochs" "$T/out" 'v["steps"] == 9 and v["steps_per_epoch"] == 3 and v["epochs"] == 3 and v["train_videos"] == 12 and v["val_clips"] >= 4'
json_is "train --plan --json: checkpoints that are kept" "$T/out" 'v["disk"]["checkpoints"] == 3 and v["disk"]["total"] > 3 * v["disk"]["checkpoint"]'
run train $TRAIN --num_train_epochs 3 --output_dir "$T/kept"
check "so many checkpoints as the plan says" [ "$(ls -d "$T"/kept/checkpoint-* | wc -l)" -eq 3 ]
run train $short --plan --max_memory 1M --json
check "a plan that does not fit is told, not refused" worked
json_is "train --plan --json: it does not fit" "$T/out" 'not v["fits"] and v["memory"]["room"] == 1 << 20 and v["advice"]'
fails 1 "needs .* of memory and .* allowed" "a run that does not fit ends before it starts" train $short --max_memory 1M --output_dir "$T/big"
check "and makes no folder" [ ! -e "$T/big" ]
finish
