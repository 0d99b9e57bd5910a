/* Options of TrainingArguments that have no meaning here: accepted with a note where the value would change nothing that a
 * user counts on, refused where it would. */
#include <string.h>

#include "args/args.h"

#define NO "false|no|none|off|0|"
static const char by_design[] = "it has no meaning here";
static const char one_machine[] = "reel trains in one process";
static const char shown[] = "the command shows it by itself";
static const char no_gpu[] = "this version computes on the processor";
static const char no_half[] = "the 16 bits of this version are those of --bf16";
static const char as_trained[] = "evaluation computes in what training does: --bf16 chooses both";
static const char in_one[] = "--gradient_checkpointing chooses it";
static const char no_token[] = "a token in a command line can be read by everybody on the machine; run reel hub login, or set HF_TOKEN";
static const char id_names_it[] = "--hub_model_id ORG/NAME says it";

static const reel_ignored ignored[] = {
    { "accelerator_config", "", one_machine },
    { "activation_checkpointing", "", in_one },
    { "adafactor", NO, "the optimizer is AdamW" },
    { "auto_find_batch_size", NO, "memory is planned before the run" },
    { "average_tokens_across_devices", "", one_machine },
    { "batch_eval_metrics", "", by_design },
    { "dataloader_persistent_workers", "", by_design },
    { "dataloader_pin_memory", "", by_design },
    { "dataloader_prefetch_factor", "", by_design },
    { "ddp_backend", "", one_machine },
    { "ddp_broadcast_buffers", "", one_machine },
    { "ddp_bucket_cap_mb", "", one_machine },
    { "ddp_find_unused_parameters", "", one_machine },
    { "ddp_timeout", "", one_machine },
    { "debug", "", by_design },
    { "deepspeed", NO, one_machine },
    { "disable_tqdm", "", "the bar appears on a terminal only" },
    { "do_eval", "true|", "val is evaluated where there is one" },
    { "do_predict", NO, "reel predict does that" },
    { "do_train", "true|", "that is what train does" },
    { "eval_accumulation_steps", "", by_design },
    { "eval_do_concat_batches", "", by_design },
    { "fp16", NO, no_half },
    { "fp16_backend", "", no_half },
    { "fp16_full_eval", NO, no_half },
    { "fp16_opt_level", "", no_half },
    { "bf16_full_eval", "", as_trained },
    { "tf32", NO, no_gpu },
    { "half_precision_backend", "", no_half },
    { "fsdp", NO, one_machine },
    { "fsdp_config", "", one_machine },
    { "full_determinism", "", "runs are always reproducible" },
    { "gradient_checkpointing_kwargs", "", in_one },
    { "group_by_length", NO, by_design },
    { "hub_always_push", NO, "the push comes at the end" },
    { "hub_strategy", "end|every_save", "the push comes at the end" },
    { "hub_token", NULL, no_token },
    { "ignore_data_skip", NO, "a resumed run equals one that was not interrupted" },
    { "include_for_metrics", "", by_design },
    { "include_inputs_for_metrics", "", by_design },
    { "include_num_input_tokens_seen", "", by_design },
    { "include_tokens_per_second", "", by_design },
    { "jit_mode_eval", "", by_design },
    { "label_names", "", by_design },
    { "length_column_name", "", by_design },
    { "liger_kernel_config", "", by_design },
    { "local_rank", "-1|0", one_machine },
    { "log_level", "", "-q and -v choose what is told" },
    { "log_level_replica", "", one_machine },
    { "log_on_each_node", "", one_machine },
    { "logging_dir", "", "this version writes no TensorBoard events" },
    { "logging_nan_inf_filter", "", "a loss that is not finite stops the run" },
    { "neftune_noise_alpha", NO, by_design },
    { "no_cuda", "", no_gpu },
    { "optim", "adamw_torch|adamw_torch_fused|adamw_hf|adamw", "the optimizer is AdamW" },
    { "optim_args", NO, "the optimizer is AdamW" },
    { "optim_target_modules", NO, "the optimizer is AdamW" },
    { "past_index", "-1", by_design },
    { "prediction_loss_only", NO, by_design },
    { "project", "", shown },
    { "push_to_hub_model_id", NULL, id_names_it },
    { "push_to_hub_organization", NULL, id_names_it },
    { "push_to_hub_token", NULL, no_token },
    { "ray_scope", "", one_machine },
    { "remove_unused_columns", "", by_design },
    { "report_to", "", "the log goes to trainer_state.json and the terminal" },
    { "restore_callback_states_from_checkpoint", "", by_design },
    { "run_name", "", by_design },
    { "save_on_each_node", "", one_machine },
    { "save_safetensors", "true|", "weights are always safetensors" },
    { "skip_memory_metrics", "", by_design },
    { "torch_compile", "", by_design },
    { "torch_compile_backend", "", by_design },
    { "torch_compile_mode", "", by_design },
    { "torch_empty_cache_steps", "", no_gpu },
    { "torchdynamo", "", by_design },
    { "tpu_metrics_debug", "", no_gpu },
    { "tpu_num_cores", "", no_gpu },
    { "train_sampling_strategy", "random", "--shuffle true is the same" },
    { "use_cpu", "", no_gpu },
    { "use_ipex", "", by_design },
    { "use_legacy_prediction_loop", NO, by_design },
    { "use_liger_kernel", NO, by_design },
    { "use_mps_device", NO, no_gpu },
};

const reel_ignored *reel_ignored_find(const char *name)
{
    char spelt[REEL_NAME_SIZE];
    if (!reel_option_spelling(name, spelt))
        return NULL;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (strcmp(ignored[i].name, spelt) == 0)
            return &ignored[i];
    return NULL;
}

const char *reel_option_note(const char *name)
{
    const reel_ignored *row = reel_ignored_find(name);
    return row != NULL ? row->note : NULL;
}
