import torch

import gan_toolkit

images = (torch.rand(256, 3, 32, 32) * 255).to(torch.uint8)  # [N, C, H, W]; yours go here
run = gan_toolkit.train(arch="dcgan", data=images, settings={"steps": 100, "arch.width": 8})
