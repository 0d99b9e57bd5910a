#!/bin/sh
# What the command line alone shows to be wrong: exit 2, one sentence, the nearest right name. TAP.
. "$(dirname "$0")/tap.sh"
OK="--model m --data d --output_dir $T/o"

fails 2 'did you mean reel train?' "misspelt verb" trian
fails 2 'did you mean reel data info?' "misspelt second word" data inof x
fails 2 'did you mean reel model new?' "misspelt first word" modle new
fails 2 'needs a second word' "half a verb" data
fails 2 'not a verb' "no verb at all like it" qqqqqqq
fails 2 'not a verb' "control bytes in a verb" "$(printf 'x\033[31m')"
check "control bytes are escaped" said 'x\\x1b\['
fails 2 'before the verb' "option before the verb" --json predict
fails 2 'did you mean --learning_rate?' "misspelt option" train --learning_rte 1
fails 2 'did you mean --json?' "misspelt common option" predict --jsn
fails 2 'did you mean --num_train_epochs?' "part of a name" train --epochs 3
fails 2 'is not an option of predict' "option of another verb" predict --learning_rate 1
fails 2 'is not an option' "unknown letter" predict -x
fails 2 'is not an option' "an option of 5000 letters" train "--$(head -c 5000 /dev/zero | tr '\0' a)"
fails 2 "'2' is not a number from 0 to 1" "out of range" train --learning_rate 2
fails 2 "'nan' is not a number" "not finite" train --learning_rate nan
fails 2 "whole number" "not whole" train --seed 1.5
fails 2 "is not one of" "unknown word" train --eval_strategy epochs
fails 2 "is not true or false" "half a truth" train --shuffle=maybe
fails 2 "ends in .gif" "a picture of another kind" preview v.avi -o a.jpg
fails 2 "ends in .safetensors" "a packed file of another kind" data pack d -o a.txt
fails 2 "needs a value" "value missing at the end" train --model
fails 2 "needs a value" "value missing before an option" train --model --data d
fails 2 "train needs --model" "train without anything" train
fails 2 "train needs --data" "train without data" train --model m
fails 2 "train needs --output_dir" "train without a folder" train --model m --data d
fails 2 "predict needs --model" "predict without a model" predict a.avi
fails 2 "at least one video" "predict without a video" predict --model m
fails 2 "preview needs --video" "preview without a video" preview -o x.gif
fails 2 "data info needs --data" "data info without data" data info
fails 2 "too many" "one argument too many" data info a b
fails 2 "too many" "train takes no bare argument" train $OK extra
fails 2 "exclude" "two sources of weights" train $OK --from_config c
fails 2 "load_best_model_at_end" "strategies that do not fit" train $OK --eval_strategy steps
fails 2 "not one of float32" "unknown numbers" predict --model m v.avi --dtype fp8
fails 2 "fp16" "fp16 is not passed over" train $OK --fp16
fails 2 "threads" "no threads" data info d --threads 0
fails 2 "isa" "unknown instruction set" data info d --isa mmx
fails 2 "max_memory" "memory that is no size" data info d --max_memory lots
check "nothing was made" [ ! -e "$T/o" ]

# Understood spellings end with the missing file: 1.
for o in --learning-rate=1e-4 '--learning_rate 1e-4' '--shuffle' '--shuffle false' '--shuffle=False' '--max_steps -1' -v \
    '--evaluation_strategy epoch' '--per_gpu_train_batch_size 4' --bf16 '--bf16 True' --gradient_checkpointing; do
    run train $OK $o
    check "train $o is understood" [ $code -eq 1 ]
done
for o in '--remove_unused_columns False' '--report_to none' '--dataloader_pin_memory' '--fp16 false' '--hub_strategy every_save' '--optim adamw_torch' '--bf16_full_eval' '--gradient_checkpointing_kwargs {}'; do
    run train $OK $o
    check "train $o is accepted" [ $code -eq 1 ]
    check "train $o: a note says that it does nothing" said "^note .*has no effect"
done
fails 2 "reel hub login" "a token in the command line is refused" train $OK --hub_token hf_secret
check "and not repeated" [ "$(grep -c hf_secret "$T/err")" -eq 0 ]
run train $OK -q --report_to none
check "-q leaves the error alone" [ "$(wc -l <"$T/err")" -eq 1 ]

echo '{"learning_rate": 2}' >"$T/bad.json"
fails 1 "bad.json: --learning_rate: '2'" "a file of options is judged like the line" train $OK --config "$T/bad.json"
fails 1 "none.json" "a file of options that is not there" train $OK --config "$T/none.json"
echo '{"learning_rte": 2}' >"$T/bad.json"
fails 1 "did you mean --learning_rate?" "misspelt in a file of options" train $OK --config "$T/bad.json"
echo '{"data": "d", "output_dir": "x", "model": "m"}' >"$T/good.json"
fails 1 "no such" "a file of options gives what is needed" train --config "$T/good.json"

"$REEL" predict --help >&- 2>"$T/err"
code=$?
check "a closed stdout is a failure" [ $code -eq 1 ]
"$REEL" --help >/dev/full 2>"$T/err"
code=$?
check "a full stdout is a failure" [ $code -eq 1 ]
check "a full stdout is told" said "standard output"
finish
