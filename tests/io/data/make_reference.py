"""Writes reference.safetensors with PyPI's safetensors, and checks a file written by hrm with it.

    python make_reference.py            writes reference.safetensors beside this script
    python make_reference.py FILE       reads FILE (written by tests/io/safetensors.cpp) and compares it with the same tensors
"""

import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

tensors = {
    "weight": torch.tensor([[1.0, -2.5, 0.1], [3.0e38, -0.0, 1.0e-45]], dtype=torch.float32),
    "a/double": torch.tensor([0.1, -1.0 / 3.0], dtype=torch.float64),
    "brain": torch.tensor([[1.0], [-0.1], [3.0e38]], dtype=torch.bfloat16),
    "half": torch.tensor([1.0, -5.0, 6.0e-8], dtype=torch.float16),
    "steps": torch.tensor([7, -1], dtype=torch.int64),
    "flag": torch.tensor([True, False, True]),
    "lone": torch.tensor(2.5, dtype=torch.float32),
    "nothing": torch.zeros((0, 4), dtype=torch.float32),
    "na\u00efve \"q\"": torch.tensor([4.0], dtype=torch.float32),
}

if len(sys.argv) == 1:
    save_file(tensors, Path(__file__).with_name("reference.safetensors"), metadata={"format": "pt"})
else:
    with safe_open(sys.argv[1], "pt") as f:
        assert f.metadata() == {"format": "pt"}, f.metadata()
        assert set(f.keys()) == set(tensors), set(f.keys()) ^ set(tensors)
        for name, expected in tensors.items():
            got = f.get_tensor(name)
            assert got.dtype == expected.dtype and got.shape == expected.shape, name
            assert got.numpy(force=True).tobytes() == expected.numpy(force=True).tobytes() if got.dtype != torch.bfloat16 \
                else torch.equal(got, expected), name
    print(sys.argv[1], "holds the same tensors")
