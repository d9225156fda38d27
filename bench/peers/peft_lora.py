# One LoRA site of PEFT around a frozen linear layer, for bench/adapter.cpp: reads lines "inputs rank length" and
# "repeats", answers each of the latter with the processor's seconds of so many forward and backward passes.
# The frozen layer itself is replaced by zeros, so that the adapter alone is timed.
import sys, time, torch
from peft import LoraConfig, inject_adapter_in_model

torch.set_num_threads(1)


class Nothing(torch.nn.Linear):
    def forward(self, x):
        return torch.zeros(x.shape[:-1] + (self.out_features,))


def site(width, rank, length):
    model = torch.nn.Sequential()
    model.add_module("site", Nothing(width, width, bias=False))
    model = inject_adapter_in_model(LoraConfig(r=rank, target_modules=["site"]), model)
    u = torch.randn(length, width, requires_grad=True)
    slope = torch.randn(length, width)
    def work():
        model(u).backward(slope)
    return work


work = None
for line in sys.stdin:
    words = [int(w) for w in line.split()]
    if len(words) == 3:
        work = site(*words)
        continue
    start = time.process_time()
    for _ in range(words[0]):
        work()
    print(time.process_time() - start, flush=True)
