# One LoRA site of PEFT around a frozen linear layer, for bench/adapter.cpp: reads lines "inputs rank length" and
# "repeats", answers each of the latter with the seconds of so many forward and backward passes: the processor's, in float,
# or, with the word cuda after the script's name, for bench/gpu: the device's by its events, in bfloat16.
# The frozen layer itself is replaced by zeros, so that the adapter alone is timed.
import sys, time, torch
from peft import LoraConfig, inject_adapter_in_model

device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
torch.set_num_threads(1)


class Nothing(torch.nn.Linear):
    def forward(self, x):
        return torch.zeros(x.shape[:-1] + (self.out_features,), device=x.device, dtype=x.dtype)


def site(width, rank, length):
    model = torch.nn.Sequential()
    model.add_module("site", Nothing(width, width, bias=False))
    model = inject_adapter_in_model(LoraConfig(r=rank, target_modules=["site"]), model).to(device, dtype)
    u = torch.randn(length, width, device=device, dtype=dtype, requires_grad=True)
    slope = torch.randn(length, width, device=device, dtype=dtype)
    def work():
        model(u).backward(slope)
    return work


def seconds(work, repeats):
    if device == "cpu":
        start = time.process_time()
        for _ in range(repeats):
            work()
        return time.process_time() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


work = None
for line in sys.stdin:
    words = [int(w) for w in line.split()]
    if len(words) == 3:
        work = site(*words)
        continue
    print(seconds(work, words[0]), flush=True)
