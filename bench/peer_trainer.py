"""The guide's fine-tuning run with Trainer, PyTorchVideo and torchvision: peer_trainer.py DATA CONFIG OUT EPOCHS SEED THREADS

The same as bench/cases/finetuning.py asks of reel: a small VideoMAE from random weights, evaluation and a checkpoint each epoch, the best one at the end,
then the test clips. Prints one JSON line. PyTorchVideo 0.1.5 imports a name that torchvision dropped: hence the one line that gives it back."""
import json
import os
import sys
import time
import warnings

warnings.simplefilter("ignore")
import torchvision.transforms._functional_tensor as functional_tensor

sys.modules["torchvision.transforms.functional_tensor"] = functional_tensor
import numpy as np
import pytorchvideo.data
import torch
from pytorchvideo.transforms import ApplyTransformToKey, Normalize, RandomShortSideScale, UniformTemporalSubsample
from torchvision.transforms import Compose, Lambda, RandomCrop, RandomHorizontalFlip, Resize
from transformers import Trainer, TrainingArguments, VideoMAEConfig, VideoMAEForVideoClassification, logging, set_seed

data, config, out, epochs, seed, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
BATCH = 8
logging.set_verbosity_error()
torch.set_num_threads(threads)
set_seed(seed)
labels = sorted(os.listdir(os.path.join(data, "train")))
cfg = VideoMAEConfig.from_json_file(config)
cfg.id2label, cfg.label2id = dict(enumerate(labels)), {l: i for i, l in enumerate(labels)}
net = VideoMAEForVideoClassification(cfg)
side, seconds = cfg.image_size, cfg.num_frames * 4 / 30
head = [UniformTemporalSubsample(cfg.num_frames), Lambda(lambda x: x / 255.0), Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
augment = head + [RandomShortSideScale(min_size=side, max_size=side * 5 // 4), RandomCrop((side, side)), RandomHorizontalFlip(p=0.5)]


def clips(split, sampler, steps):
    return pytorchvideo.data.Ucf101(data_path=os.path.join(data, split), clip_sampler=pytorchvideo.data.make_clip_sampler(sampler, seconds),
                                    decode_audio=False, transform=ApplyTransformToKey(key="video", transform=Compose(steps)))


def collate(examples):
    return {"pixel_values": torch.stack([e["video"].permute(1, 0, 2, 3) for e in examples]), "labels": torch.tensor([e["label"] for e in examples])}


train, val, test = clips("train", "random", augment), clips("val", "uniform", head + [Resize((side, side))]), clips("test", "uniform", head + [Resize((side, side))])
steps = train.num_videos // BATCH * epochs
arguments = TrainingArguments(out, remove_unused_columns=False, eval_strategy="epoch", save_strategy="epoch", learning_rate=1e-3, weight_decay=0.05,
                              per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH, warmup_steps=steps // 10, logging_steps=20, max_steps=steps,
                              load_best_model_at_end=True, metric_for_best_model="accuracy", save_total_limit=1, seed=seed, report_to=[], use_cpu=True,
                              disable_tqdm=True)
trainer = Trainer(net, arguments, train_dataset=train, eval_dataset=val, data_collator=collate,
                  compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, axis=1) == p.label_ids).mean())})
begun = time.perf_counter()
trainer.train()
trained = time.perf_counter() - begun
print(json.dumps({"accuracy": trainer.evaluate(test)["eval_accuracy"], "steps": trainer.state.global_step, "epochs": trainer.state.epoch, "train": trained,
                  "val": max(l["eval_accuracy"] for l in trainer.state.log_history if "eval_accuracy" in l and l["step"] <= steps)}), flush=True)
