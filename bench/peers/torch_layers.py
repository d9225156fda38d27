# The transformer's layers on one thread of PyTorch, for bench/layers.cpp: reads lines "WORK REPEATS", answers each with the
# processor's seconds. WORK is a name and its extents; a tensor is made once, before the clock starts.
#     linear L IN OUT    linear_back    attention L WINDOW    attention_back    norm L WIDTH    norm_back    loss L WIDTH VOCABULARY
import sys, time, torch
import torch.nn.functional as F

torch.set_num_threads(1)
heads, kv_heads, head_width = 8, 2, 64


def linear(l, i, o):
    x, w = torch.randn(l, i), torch.randn(o, i)
    return lambda: F.linear(x, w)


def linear_back(l, i, o):
    x, w, dy = torch.randn(l, i, requires_grad=True), torch.randn(o, i, requires_grad=True), torch.randn(l, o)
    y = F.linear(x, w)
    return lambda: torch.autograd.grad(y, (x, w), dy, retain_graph=True)


def local(q, k, v, window):
    """Exactly the sliding window in pieces of a window of queries, each beside two windows of keys: what a user who minds the time writes."""
    h, l, w = q.shape
    i, j = torch.arange(window)[:, None], torch.arange(2 * window)[None]
    mask = (j > i) & (j <= i + window)
    past = lambda m: torch.cat([F.pad(m, (0, 0, window, 0))[:, :l].view(h, -1, window, w), m.view(h, -1, window, w)], 2)
    first = mask & (j >= window)  # no keys stand before the first piece
    pieces = l // window
    masks = torch.stack([first] + [mask] * (pieces - 1))[None]
    return F.scaled_dot_product_attention(q.view(h, pieces, window, w), past(k), past(v), attn_mask=masks).view(h, l, w)


def attention(l, window, grad=False):
    q, k, v = (torch.randn(l, h, head_width, requires_grad=grad) for h in (heads, kv_heads, kv_heads))
    wide = lambda m: m.transpose(0, 1).repeat_interleave(heads // kv_heads, 0)
    if window == l:
        run = lambda: F.scaled_dot_product_attention(q.transpose(0, 1)[None], wide(k)[None], wide(v)[None], is_causal=True)
    else:
        run = lambda: local(q.transpose(0, 1).contiguous(), wide(k), wide(v), window)
    return run, (q, k, v)


def attention_back(l, window):
    run, inputs = attention(l, window, True)
    out = run()
    dout = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, inputs, dout, retain_graph=True)


def norm(l, d, grad=False):
    x, w = torch.randn(l, d, requires_grad=grad), torch.randn(d, requires_grad=grad)
    return (lambda: F.rms_norm(x, (d,), w, 1e-5)), (x, w)


def norm_back(l, d):
    run, inputs = norm(l, d, True)
    y = run()
    dy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def loss(l, d, v):
    """A frozen head: logits, their cross-entropy, its gradient to the features."""
    x, w, t = torch.randn(l, d, requires_grad=True), torch.randn(v, d), torch.randint(0, v, (l,))
    return lambda: torch.autograd.grad(F.cross_entropy(F.linear(x, w), t, reduction="sum"), x)


makers = {"linear": linear, "linear_back": linear_back, "attention": lambda *s: attention(*s)[0], "attention_back": attention_back,
          "norm": lambda *s: norm(*s)[0], "norm_back": norm_back, "loss": loss}
name, work = "", None
for line in sys.stdin:
    *what, repeats = line.split()
    if what != name:
        work = None  # the memory of the one before
        name, work = what, makers[what[0]](*map(int, what[1:]))
        with torch.set_grad_enabled("back" in what[0] or what[0] == "loss"):
            work()
    with torch.set_grad_enabled("back" in what[0] or what[0] == "loss"):
        start = time.process_time()
        for _ in range(int(repeats)):
            work()
        print(time.process_time() - start, flush=True)
