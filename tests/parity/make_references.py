"""Makes the reference folders beside this script with PyPI's transformers, peft, torch and safetensors.

    pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2 safetensors==0.8.0 && python make_references.py

For each tiny random-weight MistralForCausalLM:  NAME/{config.json, model.safetensors or shards}  as save_pretrained writes
them, NAME/expected.safetensors with input ids and logits, and for each LoRA NAME/LORA/ as peft writes it, plus
NAME/LORA/expected.safetensors with loss, logits and the gradient of every LoRA tensor. Attention is the eager one, and
the script checks that its sliding window is honoured. Everything is float32 on one thread, and seeded.
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import MistralConfig, MistralForCausalLM

here = Path(__file__).parent / "data"
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

base = dict(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, rms_norm_eps=1e-5, max_position_embeddings=128, sliding_window=None,
    tie_word_embeddings=False, attn_implementation="eager",
)
models = {
    # grouped queries, full attention, an untied head
    "grouped": (dict(), 40, ["attention", "mlp"]),
    # a window shorter than the sequence, a head width that is not width / heads, every query its own keys, shards
    "window": (dict(sliding_window=7, num_key_value_heads=4, head_dim=6, vocab_size=96, rms_norm_eps=1e-6), 40, ["attention"]),
    # the head is the embedding, one group of keys, a window, another rope theta
    "tied": (dict(tie_word_embeddings=True, num_key_value_heads=1, sliding_window=16, hidden_size=48, num_hidden_layers=3,
                  head_dim=12, rope_parameters={"rope_type": "default", "rope_theta": 1e6}), 48, ["mlp"]),
}
loras = {
    "attention": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "mlp": dict(r=3, lora_alpha=5, target_modules=["gate_proj", "up_proj", "down_proj"], use_rslora=True,
                rank_pattern={"up_proj": 2}, alpha_pattern={"down_proj": 7}),
}


def check_window(model, ids, window):
    """Query p sees keys p - window + 1 .. p: the attention weights are zero elsewhere and nowhere else."""
    model.eval()
    with torch.no_grad():
        attentions = model(ids, output_attentions=True).attentions
    n = ids.shape[1]
    p, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
    seen = (j <= p) & (p - j < (window or n))
    for a in attentions:
        assert torch.equal(a[0] > 0, seen.expand_as(a[0])), "the sliding window is not honoured"


def randomise(model, seed):
    """Weights that make attention sharp and logits of order one, so that a mistake shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:
                p.copy_(1 + 0.2 * torch.randn(p.shape, generator=generator))
            else:
                p.copy_(1.5 / p.shape[1] ** 0.5 * torch.randn(p.shape, generator=generator))


for seed, (name, (changes, length, wanted)) in enumerate(models.items()):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    config = MistralConfig(**{**base, **changes})
    torch.manual_seed(seed)
    model = MistralForCausalLM(config).float()
    randomise(model, seed)
    model.tie_weights()
    ids = torch.randint(0, config.vocab_size, (1, length), generator=torch.Generator().manual_seed(seed))
    check_window(model, ids, config.sliding_window)
    model.save_pretrained(folder, **({"max_shard_size": "20KB"} if name == "window" else {}))
    (folder / "generation_config.json").unlink()
    with torch.no_grad():
        save_file({"ids": ids[0].int(), "logits": model(ids).logits[0].contiguous()}, folder / "expected.safetensors")

    for lora in wanted:
        model = MistralForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
        peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **loras[lora]))
        generator = torch.Generator().manual_seed(100 + seed)
        with torch.no_grad():
            for key, p in peft.named_parameters():
                if p.requires_grad:
                    p.copy_(0.3 * torch.randn(p.shape, generator=generator))
        peft.eval()
        out = peft(input_ids=ids, labels=ids)  # mean over the length - 1 predictions
        out.loss.backward()
        peft.peft_config["default"].base_model_name_or_path = name
        peft.save_pretrained(folder / lora)
        (folder / lora / "README.md").unlink(missing_ok=True)
        config = folder / lora / "adapter_config.json"  # target_modules is a set: sorted, the same from run to run
        fields = json.loads(config.read_text())
        config.write_text(json.dumps({**fields, "target_modules": sorted(fields["target_modules"])}, indent=2) + "\n")
        expected = {"loss": out.loss.detach().reshape(1), "logits": out.logits[0].detach().contiguous()}
        saved = load_file(folder / lora / "adapter_model.safetensors")
        for key, p in peft.named_parameters():
            if p.requires_grad:
                key = key.replace(".default.", ".")
                assert torch.equal(saved[key], p), key
                expected["gradient." + key] = p.grad.contiguous()
        save_file(expected, folder / lora / "expected.safetensors")

for file in here.rglob("*"):
    if file.is_file():
        file.chmod(0o644)
total = sum(f.stat().st_size for f in here.rglob("*") if f.is_file())
print(f"{total} bytes under {here}")
