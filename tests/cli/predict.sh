#!/bin/sh
# What the verbs print, for people and as JSON, on clips of our own and on real ones. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
tiny_data
fit_model
M="--model $T/model"
clip=$(ls "$T"/data/test/*/* | head -n 1)
lines() { [ "$(wc -l <"$T/out")" -eq "$1" ]; }
json_is() {  # json_is WHAT EXPRESSION: a Python expression over the value v
    if command -v python3 >/dev/null 2>&1; then
        check "$1" python3 -c 'import json, sys
v = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(not eval(sys.argv[2]))' "$T/out" "$2"
    else
        skip "$1" "no python3"
    fi
}
valid() { if has_json; then check "$1" is_json "$T/out"; else skip "$1" "neither python3 nor jq"; fi; }

run predict $M "$clip"
check "predict: one file" worked
check "predict: a title and a line a label" lines 4
check "predict: shares of 100" printed '^ *[0-9]*\.[0-9] %  '
check "predict: nothing on stderr" [ ! -s "$T/err" ]
run predict $M "$clip" --top_k 2 --json
check "predict --json: works" worked
json_is "predict --json: a list of score and label, best first" 'isinstance(v, list) and len(v) == 2 and list(v[0]) == ["score", "label"] and v[0]["score"] >= v[1]["score"]'
json_is "predict --json: scores are float32" '__import__("struct").unpack("f", __import__("struct").pack("f", v[0]["score"]))[0] == v[0]["score"]'
run predict $M "$clip" --json --top_k 99
json_is "predict --json: all labels sum to one" 'len(v) == 3 and abs(sum(x["score"] for x in v) - 1) < 1e-6'
cp "$T/out" "$T/once"
run predict $M "$clip" --json --top_k 99
check "predict: the same again" cmp -s "$T/out" "$T/once"
run predict $M "$clip" "$T/none.avi" "$clip" --json
json_is "predict --json: several, null in its place" 'len(v) == 3 and v[1] is None and v[0] == v[2]'
check "predict --json: a bad one gives exit 1" [ $code -eq 1 ]
run predict $M "$T/data/test/$(ls "$T/data/test" | head -n 1)" --json
json_is "predict --json: a folder is a list of lists" 'len(v) == 2 and isinstance(v[0], list)'
run predict $M "$T/data/test/$(ls "$T/data/test" | head -n 1)"
check "predict: a folder is a table" lines 3
check "predict: its header" [ "$(head -n 1 "$T/out")" = "$(printf 'file\tlabel\tscore')" ]
run predict $M "$clip" --sampling guide --json
json_is "predict --sampling guide" 'len(v) == 3'


# Many files: the same answers in the same order however many threads decode, broken ones in their places.
mkdir "$T/many"
i=10
for f in "$T"/data/*/*/*; do
    i=$((i + 1))
    cp "$f" "$T/many/$i.avi"
done
for b in 13 20 27; do head -c 3000 "$T/many/$b.avi" | head -c 40 >"$T/many/$b.cut" && mv "$T/many/$b.cut" "$T/many/$b.avi"; done
for how in "" "--sampling guide --clip_duration 0.2"; do
    run predict $M "$T/many" $how --dataloader_num_workers 1
    check "many files ($how): exit 1 for the broken ones" [ $code -eq 1 ]
    check "many files ($how): a line each, and the header" lines $(($(ls "$T/many" | wc -l) + 1))
    check "many files ($how): broken ones have a reason" [ "$(grep -c "^[^	]*		..*" "$T/out")" -eq 3 ]
    check "many files ($how): sorted" [ "$(tail -n +2 "$T/out" | cut -f 1)" = "$(tail -n +2 "$T/out" | cut -f 1 | sort)" ]
    check "many files ($how): how fast, on stderr" said '^done .* clips/s.* waiting for clips'
    cp "$T/out" "$T/alone"
    for w in 2 3 9; do
        run predict $M "$T/many" $how --dataloader_num_workers $w
        check "many files ($how): $w threads, the same" cmp -s "$T/out" "$T/alone"
    done
    run predict $M "$T/many" $how --json --batch_size 1
    cp "$T/out" "$T/alone"
    for b in 3 8; do
        run predict $M "$T/many" $how --json --batch_size $b --dataloader_num_workers 3
        check "many files ($how): $b in a batch, the same scores" cmp -s "$T/out" "$T/alone"
    done
    run predict $M "$T/many" $how --json
    check "many files ($how): batches as they are chosen, the same scores" cmp -s "$T/out" "$T/alone"
done
run predict $M "$T/many" -q
check "many files: -q says nothing but the failure" [ "$(wc -l <"$T/err")" -eq 1 ]

run evaluate --model "$T/fit" --data "$T/data"
check "evaluate: works" worked
check "evaluate: how fast" printed '^speed .* clips/s'
check "evaluate: accuracy" printed '^accuracy  *[0-9.]* %'
run evaluate --model "$T/fit" --data "$T/data" --json
json_is "evaluate --json: every video is accounted for" 'v["scored"] + len(v["skipped"]) == v["videos"] == 4 and sum(map(sum, v["confusion"])) == v["scored"]'
json_is "evaluate --json: clips a second, share of waiting" 'v["clips_per_second"] > 0 and 0 <= v["wait_share"] <= 1'
run evaluate --model "$T/fit" --data "$T/data" --output_dir "$T/report"
check "evaluate --output_dir: a report" [ -s "$T/report/report.json" ]
check "evaluate --output_dir: it is told" printed '^wrote'

run data info "$T/data"
check "data info: works" worked
check "data info: a line a split" printed '^train  *12  *2 '
run data info "$T/data" --json
json_is "data info --json" '[s["videos"] for s in v["splits"]] == [12, 4, 4] and v["unreadable"] == [] and v["warnings"] == []'
run model info "$T/model"
check "model info: works" worked
run model info "$T/model" --json
json_is "model info --json" 'v["model_type"] == "videomae" and v["labels"] == ["jump", "run", "walk"] and v["missing"] == [] and all(t["used"] for t in v["tensors"])'
for e in gif png safetensors; do
    run preview "$clip" $M -o "$T/p.$e"
    check "preview .$e" [ -s "$T/p.$e" ]
done
run preview --data "$T/data" --transform eval --sampling uniform $M -o "$T/q.gif" --json
json_is "preview --json" 'v["num_frames"] == 4 and v["height"] == v["width"] == 32 and len(v["frame"]) == len(v["time"]) == 4'
run data pack "$T/data" $M --split train -o "$T/train.safetensors" --json
json_is "data pack --json" 'v["output"].endswith("train.safetensors")'
run forward $M --input "$T/train.safetensors" -o "$T/logits.safetensors" --hidden --json
json_is "forward --json" 'v["output"].endswith("logits.safetensors")'
run evaluate --model "$T/fit" --data "$T/train.safetensors" --split train --json
check "evaluate of a packed file" worked

# What a person should know though nobody asked.
mkdir "$T/bare" && cp "$T/fit/config.json" "$T/fit/model.safetensors" "$T/bare"
run predict --model "$T/bare" "$clip"
check "predict: a model without a processor's file is told of" eval 'worked && said "no preprocessor_config.json"'
run evaluate --model "$T/bare" --data "$T/data"
check "evaluate: so it is" eval 'worked && said "no preprocessor_config.json"'
run evaluate --model "$T/fit" --data "$T/data"
check "evaluate: and not where there is one" eval 'worked && ! said "processor"'
run train $TRAIN --max_steps 1 --output_dir "$T/unpushed" --hub_model_id acme/x
check "train: an option of a push that is none is told of" eval 'worked && said "hub_model_id does nothing without --push_to_hub"'
run train $TRAIN --max_steps 1 --output_dir "$T/unpushed2"
check "train: and only then" eval 'worked && ! said "push"'
fine() { run train --model "$1" --data "$T/data" --num_frames 4 --sample_rate 2 --min_size 36 --max_size 40 --max_steps 1 --output_dir "$2"; }
tiny_config "$T/two.json" && sed -i 's/"id2label.*/"num_labels": 2}/; /"label2id"/d' "$T/two.json"
run model new --from_config "$T/two.json" -o "$T/two" -q
fine "$T/two" "$T/fine1"
check "train: a classifier of other names is told of" eval 'worked && said "labels have other names"'
python3 - "$T/two/model.safetensors" <<'END' 2>/dev/null || cp "$T/two/model.safetensors" "$T/none"
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
head = json.loads(data[8:8 + n])
for name in ("weight", "bias"):  # the same bytes under names that this model does not use
    head["other." + name] = head.pop("classifier." + name)
text = json.dumps(head).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])
END
if [ -e "$T/none" ]; then
    skip "train: one that is not there is not said to be kept" "no python3"
else
    fine "$T/two" "$T/fine2"
    check "train: one that is not there is not said to be kept" eval 'worked && said "new: classifier.weight" && ! said "labels have other names"'
fi

run train $TRAIN --max_steps 2 --output_dir "$T/run"
check "train: works" worked
check "train: a Trainer's line a log" said "^{'loss': [0-9.]*, 'grad_norm': [0-9.e-]*, 'learning_rate': [0-9.e-]*, 'epoch': [0-9.]*}"
check "train: the machine, data, model and plan" [ "$(grep -c -E '^(machine|data|model|plan) ' "$T/err")" -ge 4 ]
check "train: how to go on" printed '^try  *reel evaluate'
check "train: share of the time" printed 'waiting for clips'
for f in config.json model.safetensors preprocessor_config.json trainer_state.json train_results.json eval_results.json all_results.json; do
    check "train: $f" [ -s "$T/run/$f" ]
done
run train $TRAIN --max_steps 2 --output_dir "$T/run2" --json
check "train --json: works" worked
valid "train --json: each line is JSON"
for e in start step log eval checkpoint end result; do
    check "train --json: event $e" printed "^{\"event\": \"$e\""
done
run train $TRAIN --max_steps 2 --output_dir "$T/run3" -q
check "train -q: nothing on stderr" [ ! -s "$T/err" ]
run train --data "$T/train.safetensors" --from_config "$T/config.json" --max_steps 2 --output_dir "$T/run4" --logging_steps 1 \
    --train_transform eval --train_sampler uniform --shuffle false
check "train on a packed file" worked

# Real clips: an answer, or one sentence; never anything else.
if [ -d "$SHARED/data/clips" ]; then
    for f in "$SHARED"/data/clips/* "$SHARED"/data/quirks/*; do
        run predict $M "$f" --json
        check "real: ${f##*/}" worked
        json_is "real: ${f##*/}: three finite scores" 'len(v) == 3 and abs(sum(x["score"] for x in v) - 1) < 1e-5'
    done
    for f in "$SHARED"/data/broken/*; do
        run predict $M "$f"
        check "broken: ${f##*/}" [ $code -le 1 ]
    done
    run data info "$SHARED/data/actions"
    check "real: data info of a real set" worked
    check "real: its classes" [ "$(grep -c -E '^(Fight|NoFight|Signing|Sport) ' "$T/out")" -eq 4 ]
else
    skip "real clips" "no $SHARED/data"
fi
finish
