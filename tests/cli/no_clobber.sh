#!/bin/sh
# Nothing a user made is overwritten or deleted; two runs in one folder: the second is refused. TAP.
. "$(dirname "$0")/tap.sh"
UNTIL=$2
tiny_model
tiny_data
fit_model
M="--model $T/model"
clip=$(ls "$T"/data/test/*/* | head -n 1)
mine() { mkdir -p "$1" && echo "my work" >"$1/notes.txt" && echo "my model" >"$1/model.safetensors"; }
kept() { [ "$(cat "$1/notes.txt")" = "my work" ] && [ "$(cat "$1/model.safetensors")" = "my model" ] && [ "$(ls -A "$1" | wc -l)" -eq 2 ]; }

mine "$T/a"
fails 1 "$T/a" "train into a folder of mine" train $TRAIN --max_steps 1 --output_dir "$T/a"
check "train: it is as it was" kept "$T/a"
fails 1 "$T/a" "model new into a folder of mine" model new --from_config "$T/config.json" -o "$T/a"
check "model new: it is as it was" kept "$T/a"
fails 1 "$T/a" "data synth into a folder of mine" data synth "$T/a" --classes 2 --train 1 --val 0 --test 0
check "data synth: it is as it was" kept "$T/a"
fails 1 "$T/a" "evaluate into a folder of mine" evaluate --model "$T/fit" --data "$T/data" --output_dir "$T/a"
check "evaluate: it is as it was" kept "$T/a"
fails 2 "$T/a" "a folder where a file is to be" data pack "$T/data" $M --split test -o "$T/a"
check "data pack: it is as it was" kept "$T/a"
fails 2 "$T/a" "a folder where a picture is to be" preview "$clip" $M -o "$T/a"
check "preview: it is as it was" kept "$T/a"
echo "a file" >"$T/file"
fails 1 "$T/file" "a file where a folder is to be" train $TRAIN --max_steps 1 --output_dir "$T/file"
check "train: the file is as it was" [ "$(cat "$T/file")" = "a file" ]

# --overwrite_output_dir replaces a run, and nothing else that lies there.
run train $TRAIN --max_steps 2 --output_dir "$T/run"
check "a run" worked
echo "my work" >"$T/run/notes.txt"
mkdir "$T/run/checkpoints_of_mine" && echo "more" >"$T/run/checkpoints_of_mine/a"
run train $TRAIN --max_steps 2 --output_dir "$T/run" --overwrite_output_dir
check "overwriting it works" worked
check "what I laid beside it is still there" [ "$(cat "$T/run/notes.txt" "$T/run/checkpoints_of_mine/a" 2>/dev/null | tr '\n' ' ')" = "my work more " ]

# A file named by -o is replaced as a whole, or not at all.
run data pack "$T/data" $M --split test -o "$T/in.safetensors"
check "a packed file" worked
echo "old" >"$T/logits.safetensors"
head -c 200 "$T/in.safetensors" >"$T/cut.safetensors"
fails 1 "cut.safetensors" "forward of a damaged file" forward $M --input "$T/cut.safetensors" -o "$T/logits.safetensors"
check "the old result is still there" [ "$(cat "$T/logits.safetensors")" = old ]
run forward $M --input "$T/in.safetensors" -o "$T/logits.safetensors"
check "forward replaces it" worked
check "it is replaced" [ "$(head -c 3 "$T/logits.safetensors")" != old ]
cp "$T/in.safetensors" "$T/keep.safetensors"
fails 1 "input itself" "forward onto its input" forward $M --input "$T/in.safetensors" -o "$T/in.safetensors"
check "the input is as it was" cmp -s "$T/in.safetensors" "$T/keep.safetensors"
cp -r "$T/model" "$T/model2"
fails 1 "which is read here" "forward onto the model" forward --model "$T/model2" --input "$T/in.safetensors" -o "$T/model2/model.safetensors"
check "the model is as it was" cmp -s "$T/model/model.safetensors" "$T/model2/model.safetensors"
run preview "$clip" $M -o "$T/one.gif"
cp "$T/one.gif" "$T/two.gif"
fails 1 "input itself" "preview onto its video" preview "$T/one.gif" $M -o "$T/one.gif"
check "the video is as it was" cmp -s "$T/one.gif" "$T/two.gif"
cp -r "$T/data" "$T/data2"
run train --model "$T/model" --data "$T/data2" --output_dir "$T/data2" --overwrite_output_dir --max_steps 1
check "train over its data is refused" [ $code -eq 1 ]
check "the data is as it was" diff -r "$T/data" "$T/data2"
mkdir -p "$T/odd" && echo mine >"$T/odd/trainer_state.json"
run train $TRAIN --max_steps 1 --output_dir "$T/odd" --overwrite_output_dir
check "a file that is called like a run's is none" [ "$code $(cat "$T/odd/trainer_state.json")" = "1 mine" ]

# A run that could read nothing does not block the next.
mkdir -p "$T/bad/train/jump" "$T/bad/train/run"
echo x >"$T/bad/train/jump/a.avi"
echo y >"$T/bad/train/run/b.avi"
run train --model "$T/model" --data "$T/bad" --output_dir "$T/again" --max_steps 1
check "all unreadable: a failure" [ $code -eq 1 ]
run train $TRAIN --max_steps 1 --output_dir "$T/again"
check "the next run takes the folder" worked
check "and leaves no old list of skipped videos" [ ! -e "$T/again/skipped.csv" ]

# Going on writes into the folder above a checkpoint: only where that is its run's.
run train $TRAIN --max_steps 2 --output_dir "$T/first" --save_strategy steps --save_steps 1 --eval_strategy no
check "a run with checkpoints" worked
mkdir "$T/foreign" "$T/foreign2" && echo mine >"$T/foreign/model.safetensors" && echo mine >"$T/foreign/config.json"
echo mine >"$T/foreign/.trash-1mine"
cp -r "$T/foreign/." "$T/foreign2/"
cp -r "$T/first/checkpoint-1" "$T/foreign/copy"
cp -r "$T/first/checkpoint-1" "$T/foreign2/checkpoint-1"
untouched() { [ "$(cat "$1/model.safetensors" "$1/config.json" "$1/.trash-1mine" | tr '\n' ' ')" = "mine mine mine " ]; }
run train --resume_from_checkpoint "$T/foreign/copy"
check "a checkpoint by another name is not gone on with" [ $code -eq 1 ]
check "what lies beside it is as it was" untouched "$T/foreign"
run train --resume_from_checkpoint "$T/foreign2/checkpoint-1"
check "nor a checkpoint among other files" [ $code -eq 1 ]
check "which are as they were" untouched "$T/foreign2"
run train --resume_from_checkpoint "$T/first/checkpoint-1"
check "in its own folder it is" worked

# Links in a circle are walked once.
mkdir -p "$T/ring/in" && cp "$clip" "$T/ring/in/" && ln -s .. "$T/ring/in/back"
run predict $M "$T/ring"
check "a folder that links to itself" worked
check "no temporary file is left" [ -z "$(find "$T" -name '*tmp*')" ]

# The folder of a run that goes on belongs to it.
second() {
    "$REEL" train $TRAIN --max_steps 2 --output_dir "$T/both" --overwrite_output_dir >"$T/two.out" 2>"$T/two.err" </dev/null
    echo $? >"$T/two.code"
}
"$UNTIL" 0 0 '"event": "step", "step": 3,' "$T/out" "$T/err" "$REEL" train $TRAIN --max_steps 400 --output_dir "$T/both" --json \
    --eval_strategy no --save_strategy no >"$T/how" &
first=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
    grep -q '"step": 3,' "$T/out" 2>/dev/null && break
    sleep 0.2
done
second
wait $first
mv "$T/two.out" "$T/out"; mv "$T/two.err" "$T/err"; code=$(cat "$T/two.code") command="a second run in one folder"
check "the second of two runs is refused" refused 1 "both"
check "the first ends well" grep -q '^exit 0' "$T/how"
finish
