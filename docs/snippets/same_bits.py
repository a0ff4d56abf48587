import torch

import gan_toolkit

generator = gan_toolkit.load("my-digits")
many = generator.sample(200, seed=7)
few = generator.sample(3, seed=7, first=100)
assert torch.equal(many[100:103], few)
