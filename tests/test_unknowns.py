"""`--show-unknown` lists what is not understood of the models, and nothing of what is done with their results."""

from __future__ import annotations

from selulint.check import check_source
from selulint.settings import Settings
from selulint.source import Source

MODEL = """
import torch
from torch import nn
from elsewhere import augment, plot, score, shuffle, wrap

body = nn.Sequential(nn.Linear(8, 8), nn.SELU(), nn.Linear(8, 8))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x):
        x = torch.selu(self.first(augment(x)))
        plot(x)
        return wrap(self.last(shuffle(x)))


net = Net()
for batch in batches:
    result = net(batch)
    score(result).backward()
    plot(result)
"""


def test_what_is_done_with_results_is_no_unknown_layer() -> None:
    found = check_source(Source("net.py", MODEL), Settings(select=("selu-output",), show_unknown=True))
    names = [MODEL[each.span.start :].partition("(")[0] for each in found if each.span is not None]
    assert names == ["augment", "wrap", "shuffle"]
