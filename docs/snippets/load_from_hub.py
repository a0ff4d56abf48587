import gan_toolkit

generator = gan_toolkit.load("you/my-digits")
samples = generator.sample(16, seed=1)  # float32 [16, 1, 16, 16] in -1 … 1
