#!/bin/sh
# --dataloader_cache_mb: the same numbers with a cache that holds all, some or nothing, and fewer files read. TAP.
. "$(dirname "$0")/tap.sh"
tiny_model
tiny_data
fit_model
E="--num_train_epochs 3 --per_device_eval_batch_size 4"
for mb in 0 1 50; do
    run train $TRAIN $E --dataloader_cache_mb $mb --output_dir "$T/run$mb"
    check "train with $mb MB works" worked
done
for mb in 1 50; do
    check "train with $mb MB: the same weights" cmp -s "$T/run0/model.safetensors" "$T/run$mb/model.safetensors"
    check "train with $mb MB: the same evaluation" [ "$(grep eval_loss "$T/run0/eval_results.json")" = "$(grep eval_loss "$T/run$mb/eval_results.json")" ]
done
C="--num_clips 2 --num_crops 3 --json"
run evaluate --model "$T/fit" --data "$T/data" $C
grep -o '"accuracy.*"clip_loss": [^,]*' "$T/out" >"$T/none"
run evaluate --model "$T/fit" --data "$T/data" $C --dataloader_cache_mb 20
grep -o '"accuracy.*"clip_loss": [^,]*' "$T/out" >"$T/some"
check "evaluate: the same figures" cmp -s "$T/none" "$T/some"
check "evaluate: there are figures" [ -s "$T/none" ]
if command -v strace >/dev/null 2>&1 && strace -o "$T/t" true 2>/dev/null; then
    opened() { strace -f -e trace=openat -o "$T/trace" "$REEL" "$@" >"$T/out" 2>"$T/err" </dev/null; grep -c '\.avi"' "$T/trace"; }
    without=$(opened train $TRAIN $E --eval_strategy no --output_dir "$T/a")
    with=$(opened train $TRAIN $E --eval_strategy no --dataloader_cache_mb 50 --output_dir "$T/b")
    command="train, traced: $without files opened without, $with with a cache"
    check "later epochs open no file" [ "$with" -eq 12 ]
    check "without a cache they do" [ "$without" -eq 36 ]
else
    skip "later epochs open no file" "no strace"
fi
run train $TRAIN --dataloader_cache_mb 5 --plan
check "the plan counts it" printed '^  decoded frames  *5.0 MB'
fails 2 "whole number from 0" "no size" train $TRAIN --dataloader_cache_mb lots
finish
