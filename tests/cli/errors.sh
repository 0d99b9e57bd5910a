#!/bin/sh
# Bad input: one clear message, exit 1, nothing lost. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
tiny_data
fit_model
M="--model $T/model"
clip=$(ls "$T"/data/test/*/* | head -n 1)
fresh() { "$REEL" train $TRAIN --max_steps 2 --output_dir "$1" -q >"$T/out" 2>"$T/err"; code=$? command="train $1"; }

fails 1 "no such file" "missing video" predict $M "$T/none.avi"
check "missing video: its name" said none.avi
fails 1 "no such" "missing data" train $TRAIN --data "$T/nowhere" --output_dir "$T/o1"
fails 1 "no such" "missing model" predict --model "$T/nomodel" "$clip"
fails 1 "no such" "missing config" train $TRAIN --from_config "$T/none.json" --output_dir "$T/o2"

mkdir -p "$T/empty" "$T/one/train/Only" "$T/one/val/Only" "$T/none/train/A" "$T/none/train/B"
cp "$clip" "$T/one/train/Only/a.avi"
cp "$clip" "$T/one/val/Only/b.avi"
fails 1 "empty\|no class\|no video\|nothing" "empty folder as data" train $TRAIN --data "$T/empty" --output_dir "$T/o3"
fails 1 "empty\|no class\|no video\|nothing" "empty folder looked at" data info "$T/empty"
fails 1 "empty\|no class\|no video\|nothing" "classes without a video" train $TRAIN --data "$T/none" --output_dir "$T/o4"
fails 1 "one class" "one class" train $TRAIN --data "$T/one" --output_dir "$T/o5"

printf 'This is a letter, not a film.\n%.0s' 1 2 3 4 5 6 7 8 >"$T/text.avi"
: >"$T/zero.avi"
head -c 1000 "$clip" >"$T/short.avi"
fails 1 "text.avi" "text file called .avi" predict $M "$T/text.avi"
check "text file: it is said to look like text" said "text"
fails 1 "zero.avi" "zero bytes" predict $M "$T/zero.avi"
fails 1 "short.avi" "truncated in the header" predict $M "$T/short.avi"
for f in WrongFile.mp4 audio_only.mp4 broken.mp4 empty.flv no_streams.mp4; do
    if [ -e "$SHARED/data/broken/$f" ]; then
        fails 1 "$f" "broken/$f" predict $M "$SHARED/data/broken/$f"
    else
        skip "broken/$f" "no shared data"
    fi
done

# Several: the good ones are answered, the bad ones told, exit 1.
run predict $M "$clip" "$T/zero.avi" "$T/none.avi"
check "one bad among several: exit 1" [ $code -eq 1 ]
check "one bad among several: header and a line each" [ "$(wc -l <"$T/out")" -eq 4 ]
check "one bad among several: an empty label and the reason" grep -q "$(printf 'zero.avi\t\t.')" "$T/out"
check "one bad among several: the count" said "2 of 3"

# In training and evaluation a bad file is skipped with one warning and listed.
cp -r "$T/data" "$T/spoilt"
bad=$(ls "$T"/spoilt/train/*/* | head -n 1)
: >"$bad"
run train $TRAIN --data "$T/spoilt" --num_train_epochs 2 --output_dir "$T/o6"
check "a bad file in training is skipped" worked
check "one warning for it, though it came up twice" [ "$(grep -c "^warning.*$(basename "$bad")" "$T/err")" -eq 1 ]
check "it is listed" grep -q "$(basename "$bad")" "$T/o6/skipped.csv"
for f in "$T"/spoilt/train/*/*; do : >"$f"; done
run train $TRAIN --data "$T/spoilt" --output_dir "$T/o7"
check "all bad: exit 1" [ $code -eq 1 ]
check "all bad: one error" [ "$(grep -c '^reel: ' "$T/err")" -eq 1 ]
run train $TRAIN --data "$T/spoilt" --per_device_train_batch_size 2 --max_steps 2 --output_dir "$T/o8"
check "all bad, and fewer steps than videos: exit 1" [ $code -eq 1 ]
check "no model is left that learned nothing" [ ! -e "$T/o8/model.safetensors" ]
cp -r "$T/data" "$T/noval"
for f in "$T"/noval/val/*/*; do : >"$f"; done
run train $TRAIN --data "$T/noval" --output_dir "$T/o9" --json
check "nothing to evaluate with is told before the first step" said "none of the .* val videos"
check "before the first step" [ "$code $(grep -c '"event": "step"' "$T/out")" = "1 0" ]
for f in "$T"/spoilt/test/*/*; do : >"$f"; done
run evaluate --model "$T/fit" --data "$T/spoilt"
check "nothing to score: exit 1" [ $code -eq 1 ]

# Models.
damaged() { rm -rf "$T/bad" && cp -r "$T/model" "$T/bad"; }
damaged
sed 's/"videomae"/"timesformer"/; s/VideoMAEFor/TimesformerFor/' "$T/model/config.json" >"$T/bad/config.json"
fails 1 "timesformer" "config of another architecture" predict --model "$T/bad" "$clip"
damaged
size=$(wc -c <"$T/model/model.safetensors")
head -c $((size - 100)) "$T/model/model.safetensors" >"$T/bad/model.safetensors"
fails 1 "model.safetensors" "weights cut short" predict --model "$T/bad" "$clip"
head -c 50 "$T/model/model.safetensors" >"$T/bad/model.safetensors"
fails 1 "model.safetensors" "weights cut in the header" model info "$T/bad"
damaged
sed 's/"intermediate_size": 32/"intermediate_size": 64/' "$T/model/config.json" >"$T/bad/config.json"
fails 1 "layer.0" "a wrong shape names the tensor" predict --model "$T/bad" "$clip"
check "a wrong shape: both shapes are told" said "32.*64"
fails 1 "labels\|class" "a model of other labels" evaluate $M --data "$T/data"
rm "$T/bad/model.safetensors"
fails 1 "model.safetensors" "no weights" predict --model "$T/bad" "$clip"
echo '{"a": ' >"$T/bad/config.json"
fails 1 "config.json" "config that is no JSON" predict --model "$T/bad" "$clip"

# Places.
fails 1 "/dev/null" "unwritable output folder" train $TRAIN --max_steps 1 --output_dir /dev/null/run
fails 1 "proc" "output folder that cannot be made" train $TRAIN --max_steps 1 --output_dir /proc/reel/run
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$T/locked" && chmod 500 "$T/locked"
    fails 1 "denied" "read-only folder" train $TRAIN --max_steps 1 --output_dir "$T/locked/run"
    chmod 700 "$T/locked"
else
    skip "read-only folder" "root writes everywhere"
fi
"$REEL" data pack "$T/data" $M --split test -o "$T/in.safetensors" -q >"$T/out" 2>"$T/err"
fails 1 "no/where" "output file in no folder" forward $M --input "$T/in.safetensors" -o "$T/no/where.safetensors"
fresh "$T/run"
check "a short run" worked
fails 1 "overwrite_output_dir" "a folder that holds a run" train $TRAIN --max_steps 2 --output_dir "$T/run"

# A disk that is full when a checkpoint is due: 4 KiB a file is enough for config.json, not for the weights.
fresh "$T/full"
next=$(ls -d "$T"/full/checkpoint-*)
find "$next" -type f -exec cksum {} + >"$T/before"
(
    ulimit -f 8
    "$REEL" train $TRAIN --max_steps 3 --output_dir "$T/full2" >"$T/small.out" 2>"$T/small.err"
    echo $? >"$T/small.code"
)
mv "$T/small.out" "$T/out"; mv "$T/small.err" "$T/err"; code=$(cat "$T/small.code") command="train with small files only"
check "full at a checkpoint: exit 1 and one sentence" [ "$code" -eq 1 ] 
check "full at a checkpoint: one error" [ "$(grep -c '^reel: ' "$T/err")" -eq 1 ]
check "full at a checkpoint: the file is named" said "safetensors"
check "full at a checkpoint: nothing half is left" [ -z "$(find "$T/full2" -name '*tmp*' -o -name 'checkpoint-*' | head -n 1)" ]
run train $TRAIN --max_steps 3 --output_dir "$T/full2" --overwrite_output_dir
check "with room the same folder works" worked
find "$next" -type f -exec cksum {} + >"$T/after"
check "older checkpoints are as they were" cmp -s "$T/before" "$T/after"

# A truly full file system, where the system lets us make one.
if unshare -m true 2>/dev/null && mkdir "$T/small" && unshare -m sh -c "mount -t tmpfs -o size=256k none '$T/small'" 2>/dev/null; then
    unshare -m sh -c "mount -t tmpfs -o size=64k none '$T/small' && \"\$0\" train $TRAIN --max_steps 2 --output_dir '$T/small/run'" \
        "$REEL" >"$T/out" 2>"$T/err"
    code=$? command="train on a tmpfs of 64k"
    check "a full file system" [ $code -eq 1 ]
    check "a full file system: said" said "space\|full\|free\|room"
else
    skip "a full file system" "no tmpfs may be mounted"
    skip "a full file system: said" "no tmpfs may be mounted"
fi
finish
