"""Five labels of one file with transformers' pipeline, as its documentation has it: peer_pipeline.py MODELDIR VIDEO THREADS"""
import sys

import torch
from transformers import pipeline

torch.set_num_threads(int(sys.argv[3]))
for answer in pipeline("video-classification", model=sys.argv[1])(sys.argv[2], top_k=5):
    print(f"{answer['score']:.4f} {answer['label']}")
