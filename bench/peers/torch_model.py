# transformers' MistralForCausalLM of the shape of bench/model.cpp on one thread of PyTorch, with PEFT's LoRA: reads lines
# "forward|frozen|trained|token REPEATS", answers each with the processor's seconds.
import sys, time, torch
from peft import LoraConfig, get_peft_model
from transformers import MistralConfig, MistralForCausalLM

torch.set_num_threads(1)
rows = 1024


def model():
    return MistralForCausalLM(MistralConfig(
        vocab_size=256, hidden_size=128, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        intermediate_size=384, sliding_window=64, max_position_embeddings=4096, attn_implementation="sdpa"))


tokens = torch.randint(0, 256, (1, rows))
slopes = 1e-3 * torch.randn(1, rows, 256)
base, trained = model().eval(), model().train()
frozen = get_peft_model(model(), LoraConfig(r=4, target_modules=["gate_proj", "up_proj", "down_proj"])).train()


def forward():
    with torch.inference_mode():
        base(tokens, use_cache=False)


def step(m):
    m.zero_grad(set_to_none=True)
    m(tokens, use_cache=False).logits.backward(slopes)


with torch.inference_mode():
    past = base(tokens[:, :64], use_cache=True).past_key_values


def token():
    with torch.inference_mode():
        base(tokens[:, :1], past_key_values=past, use_cache=True)


work = {"forward": forward, "frozen": lambda: step(frozen), "trained": lambda: step(trained), "token": token}
for line in sys.stdin:
    what, repeats = line.split()
    start = time.process_time()
    for _ in range(int(repeats)):
        work[what]()
    print(time.process_time() - start, flush=True)
